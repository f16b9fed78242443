import { COMMON } from '../command/common-flags.ts'
import type { CommandSpec } from '../command/spec.ts'
import { STORE_ACCESS_FLAGS } from '../kube-access.ts'
import { FLAGS } from '../flags.ts'
import { boolean, text } from '../flag.ts'

/** Flags that only this command has. */
export const DOCTOR_FLAGS = {
  peer: text('peer', 'node', 'look into the way to this one too: a name, an address or a subnet'),
  fix: boolean(
    'fix',
    false,
    'do what cures, where that takes nothing away from others; each command is said before, and asked for',
  ),
  yes: boolean('yes', false, 'with --fix: do not ask'),
} as const

export const DOCTOR: CommandSpec = {
  name: 'doctor',
  operands: '',
  takes: [0, 0],
  about: `Looks for what keeps the overlay from working on this host and names the cause, how it is known, and the commands that cure it: the root cause first. Packets are sent only to peers that do not answer, and to the one that --peer names.

It works without an agent too, and then knows less: what the kernel, the firewall, the subnet file and etcd say.`,
  flags: [
    ...[DOCTOR_FLAGS.peer, DOCTOR_FLAGS.fix, DOCTOR_FLAGS.yes, COMMON.json, COMMON.socket, COMMON.color],
    ...STORE_ACCESS_FLAGS,
    FLAGS.subnetFile,
    FLAGS.nodeId,
  ],
  exits:
    '0 when nothing is broken (something that may do harm later is told all the same); 1 when something is, or when no peer or lease is named as --peer says; 2 for bad usage.',
}
