import { COMMON } from '../command/common-flags.ts'
import type { CommandSpec } from '../command/spec.ts'
import { ETCD_ACCESS_FLAGS } from '../etcd-access.ts'
import { text } from '../flag.ts'
import { FLAGS } from '../flags.ts'

export const HOSTNAME = text('hostname', 'name', 'name of its host, for people who read leases; with --node-id')
export const SUBNET6 = text('subnet6', 'subnet', 'its IPv6 subnet, where the network has both families')

export const RESERVE: CommandSpec = {
  name: 'reserve',
  operands: 'SUBNET',
  takes: [1, 1],
  about: `Reserves a subnet for one node: a lease without an end. The node that publishes that PublicIP, or has that node id, takes it when its agent starts; no other node does. Upstream's agents know reservations by their PublicIP alone.

Nothing is overwritten, and nothing is reserved that overlaps another lease, lies outside of what agents take, or is for a PublicIP that holds another subnet. flanneld release gives it back.`,
  flags: [
    { ...FLAGS.publicIp, help: 'underlay address of the node' },
    { ...FLAGS.publicIpv6, help: 'the same for IPv6, with --subnet6' },
    SUBNET6,
    { ...FLAGS.nodeId, help: 'id of the node (flanneld status shows it)' },
    HOSTNAME,
    COMMON.json,
    ...ETCD_ACCESS_FLAGS,
  ],
  exits: '0 when it is reserved; 1 when something is in the way, or etcd cannot be asked; 2 for bad usage.',
}
