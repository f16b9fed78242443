import { choice, type Flag } from '../flag.ts'
import { COMMON } from '../command/common-flags.ts'
import type { CommandSpec } from '../command/spec.ts'

/** Which peers to show, by how they are reached. */
export const REACH: Flag<'all' | 'not-reachable' | 'unreachable' | 'mtu' | 'lossy' | 'unknown' | 'reachable'> = choice(
  'reach',
  ['all', 'not-reachable', 'unreachable', 'mtu', 'lossy', 'unknown', 'reachable'],
  'only those that are reached like this; not-reachable: unreachable, mtu or lossy',
)

export const PEERS: CommandSpec = {
  name: 'peers',
  operands: '[NAME|IP|SUBNET]',
  takes: [0, 1],
  about: `Lists the other nodes of the overlay as this one knows them, the worst first: whether packets arrive there, since when, round trip and loss, and whether all entries for them stand in the kernel.

With the name of a node, an address or a subnet, only that one, with each of its entries. An address may be the node's PublicIP, one on the overlay, or that of a container.`,
  flags: [REACH, COMMON.watch, COMMON.json, COMMON.socket, COMMON.color],
  exits:
    '0 when all peers shown are reached, as far as is known; 1 when one is not, when there is no such peer (this node is none), when this node has no lease, or when no agent answers; 2 for bad usage.',
}
