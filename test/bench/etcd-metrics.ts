/** What an etcd has been asked since it started, from its own counters. */
export interface EtcdCounts {
  /** Calls by method of gRPC; a stream is one call. */
  readonly calls: ReadonlyMap<string, number>
  /** Messages that came, those on streams too. */
  readonly messages: number
}

/** grpc_server_started_total{grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"} 42 */
const COUNTER = /^grpc_server_(started|msg_received)_total\{grpc_method="(\w+)"[^}]*\} (\S+)$/gm

/** @param endpoint such as `http://192.168.205.2:2379` */
export async function etcdCounts(endpoint: string): Promise<EtcdCounts> {
  const text = await (await fetch(`${endpoint}/metrics`)).text()
  const calls = new Map<string, number>()
  let messages = 0
  for (const [, counter, method = '', count] of text.matchAll(COUNTER))
    if (counter === 'started') calls.set(method, (calls.get(method) ?? 0) + Number(count))
    else messages += Number(count)
  return { calls, messages }
}

/** What was asked between two looks. */
export function askedBetween(before: EtcdCounts, after: EtcdCounts): EtcdCounts {
  const calls = [...after.calls].map(([method, count]) => [method, count - (before.calls.get(method) ?? 0)] as const)
  return { calls: new Map(calls.filter(([, count]) => count > 0)), messages: after.messages - before.messages }
}
