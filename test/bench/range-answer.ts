import { readRangeAnswer as readAnswer } from '../../src/etcd/keys/answer.ts'
import { Keyspace } from '../../src/etcd/keys/keyspace.ts'
import type { KeyRecord } from '../../src/etcd/keys/key.ts'
import { ETCD_PREFIX } from '../lab/lab.ts'

const keyspace = Keyspace.leases(ETCD_PREFIX)

/** Records of leases out of the bytes of etcd's answer, by the agent's own way. */
export const readRangeAnswer = (bytes: Buffer): readonly KeyRecord[] =>
  readAnswer(bytes, keyspace, keyspace.range).records
