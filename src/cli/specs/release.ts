import { COMMON } from '../command/common-flags.ts'
import type { CommandSpec } from '../command/spec.ts'
import { ETCD_ACCESS_FLAGS } from '../etcd-access.ts'
import { boolean } from '../flag.ts'
import { FLAGS } from '../flags.ts'

export const RELEASE_FORCE = boolean('force', false, 'give it back though its holder lives, or cannot be asked')

export const RELEASE: CommandSpec = {
  name: 'release',
  operands: '[SUBNET]',
  takes: [0, 1],
  about: `Gives a subnet back: a reservation, the lease of a node that is gone for good, or, without SUBNET, the lease of this host, for which no agent may run here and nothing may stand in the kernel any more (flanneld cleanup --release sees to both).

The holder of a lease is asked whether it lives first, which takes up to 20 seconds, and a lease whose holder answers stays. Upstream's agents answer nobody: their leases stay, unless --force says otherwise. The key is deleted only if it still is as it was seen.`,
  flags: [RELEASE_FORCE, COMMON.json, ...ETCD_ACCESS_FLAGS, FLAGS.nodeId, FLAGS.subnetFile],
  exits:
    '0 when it was given back; 1 when it stays, or etcd cannot be asked; 2 for bad usage, at once for what is no subnet.',
}
