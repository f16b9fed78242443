import { COMMON } from '../command/common-flags.ts'
import type { CommandSpec } from '../command/spec.ts'
import { STORE_ACCESS_FLAGS } from '../kube-access.ts'

export const TRACE: CommandSpec = {
  name: 'trace',
  operands: 'NODE|SUBNET|IP',
  takes: [1, 1],
  about: `Follows the way of a packet to another node: its lease in etcd, the device, neighbour, FDB entry and route in the kernel, what rules of the agent and of others do to packets of the overlay, the route to its public address, and whether it answers. Each is read where it stands, and not from the agent; the first that is wrong is marked, with what puts it right.

How to reach etcd is known from the agent of this host, or its unit's settings. Where etcd does not answer, the agent's word for the lease is taken. Changes nothing.`,
  flags: [COMMON.json, COMMON.socket, COMMON.color, ...STORE_ACCESS_FLAGS],
  exits: '0 when nothing is wrong; 1 when something is, or there is no such node, or it is this one; 2 for bad usage.',
}
