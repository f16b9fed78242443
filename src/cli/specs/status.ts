import { STORE_ACCESS_FLAGS } from '../kube-access.ts'
import { FLAGS } from '../flags.ts'
import { COMMON } from '../command/common-flags.ts'
import type { CommandSpec } from '../command/spec.ts'

export const STATUS: CommandSpec = {
  name: 'status',
  operands: '',
  takes: [0, 0],
  about: `Says how the agent of this host is: in the first line what is wrong, if anything is, then its lease, underlay, device, peers, etcd, firewall, what fails and since when, and what happened last.

Where no agent answers, it shows what can be known without one: the devices and entries in the kernel, the subnet file, and the leases in etcd.`,
  flags: [COMMON.watch, COMMON.json, COMMON.socket, COMMON.color, FLAGS.subnetFile, ...STORE_ACCESS_FLAGS],
  exits:
    '0 when the node is ready and nothing fails; 1 when it is degraded, not ready, or no agent answers; 2 for bad usage.',
}
