import { text } from '../flag.ts'
import { COMMON } from '../command/common-flags.ts'
import type { CommandSpec } from '../command/spec.ts'
import { STORE_ACCESS_FLAGS } from '../kube-access.ts'
import { FLAGS } from '../flags.ts'

export const OUTPUT = text(
  'output',
  'file',
  'archive to write; it must not be there yet (default: one in this folder, named for host and time)',
)

export const BUGREPORT: CommandSpec = {
  name: 'bugreport',
  operands: '',
  takes: [0, 0],
  about: `Writes an archive (tar.gz) with what somebody else needs to see what is wrong here: what the agent says of itself and its peers, what doctor finds, the leases in etcd, the network, rules and settings of this host, and the log where journald has it.

Passwords, tokens, private keys, names of key files, and users in URLs are taken out. Addresses and host names stay in: look into it before it is published. The file is readable for its owner alone.`,
  flags: [OUTPUT, COMMON.socket, COMMON.color, FLAGS.subnetFile, ...STORE_ACCESS_FLAGS],
  letters: { o: OUTPUT },
  exits:
    '0 when the archive is written, whatever could not be asked (it says so inside); 1 when it could not be written; 2 for bad usage.',
}
