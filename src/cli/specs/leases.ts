import { COMMON } from '../command/common-flags.ts'
import type { CommandSpec } from '../command/spec.ts'
import { STORE_ACCESS_FLAGS } from '../kube-access.ts'
import { FLAGS } from '../flags.ts'

export const LEASES: CommandSpec = {
  name: 'leases',
  operands: '',
  takes: [0, 0],
  about: `Lists all leases in etcd, in the order of their addresses: who holds each, at which address and with which backend, when it ends if nobody renews it, when it was renewed last, and since which revision of etcd there is one (etcd keeps no times). Reservations never end. What nobody can read, what overlaps another, what lies outside of the network and what has the address of another is marked, with the reason.

Above them stands how many subnets are free. It asks etcd itself, whether an agent runs or not; how to reach it is taken from the agent of this host, unless it is said here.`,
  flags: [COMMON.json, COMMON.color, ...STORE_ACCESS_FLAGS, FLAGS.nodeId],
  exits: '0 when nothing is wrong with any lease; 1 when something is, or etcd cannot be asked; 2 for bad usage.',
}
