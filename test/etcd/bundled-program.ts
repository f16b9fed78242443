import { openStore } from './etcd-harness.ts'

/** Uses the store as the daemon does and leaves: bundled and run by bundle.test.ts with the endpoint as argument. */
async function main([endpoint = '', username = '', password = '']: readonly string[]): Promise<void> {
  const { signal } = new AbortController()
  const store = openStore({ endpoints: [endpoint], username, password })
  const watching = new AbortController()
  const watch = store.watch(await store.list(signal), watching.signal)
  const created = await store.create('10.1.0.0-24', 'one', { kind: 'grant', ttlSeconds: 600 }, signal)
  if (!created.ok) throw new Error('refused')
  const seen: string[] = []
  for await (const event of watch) {
    const revision = event.kind === 'deltas' ? String(event.revision) : event.kind
    seen.push(...(event.kind === 'deltas' ? event.deltas.map(({ kind }) => kind) : [event.kind]))
    if (seen.length === 1) await store.remove(created.record, signal)
    else {
      process.stdout.write(`${JSON.stringify({ etcdLeaseId: created.record.etcdLeaseId, seen, revision })}\n`)
      watching.abort()
    }
  }
  await store.keepAlive(created.record.etcdLeaseId, signal)
  store.close()
}

void main(process.argv.slice(2))
