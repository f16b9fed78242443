import type { IRangeResponse } from 'etcd3'
import { Keyspace } from '../../src/etcd/keys/keyspace.ts'
import type { KeyRecord } from '../../src/etcd/keys/key.ts'
import { ETCD_PREFIX } from '../lab/lab.ts'
import { messageType } from './etcd-client.ts'

const keyspace = Keyspace.leases(ETCD_PREFIX)
const type = messageType('RangeResponse')

/** Records of leases out of the bytes of etcd's answer, by the agent's own way. */
export function readRangeAnswer(bytes: Buffer): readonly KeyRecord[] {
  const answer = type.toObject(type.decode(bytes), { longs: String, defaults: true }) as unknown as IRangeResponse
  return answer.kvs.map((kv) => keyspace.record(kv))
}
