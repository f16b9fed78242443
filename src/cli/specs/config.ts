import { COMMON } from '../command/common-flags.ts'
import type { CommandSpec } from '../command/spec.ts'
import { ETCD_ACCESS_FLAGS } from '../etcd-access.ts'
import { boolean } from '../flag.ts'

export const CONFIG_YES = boolean('yes', false, 'with set: write without asking')
export const CONFIG_FORCE = boolean(
  'force',
  false,
  'with set: write also what cuts leases off, or has fields that nothing reads',
)
export const CONFIG_CREATE = boolean(
  'create',
  false,
  'with set: write the first configuration into an etcd in which there is nothing yet',
)

export const CONFIG: CommandSpec = {
  name: 'config',
  operands: 'get | validate FILE|- | diff FILE|- | set FILE|-',
  takes: [1, 2],
  about: `Reads, checks, compares and writes the network configuration in etcd (PREFIX/config).

  get        what is in force, field by field, with the defaults marked
  validate   whether agents take what stands in the file, what of it is not read, and which
             leases would lie outside; needs no etcd
  diff       what agents that run follow at once, what waits for a restart, and in which order
             to go about it
  set        the same, and writes the file to etcd, octet by octet, if nobody has changed what
             stands there meanwhile

set writes nothing that agents would not take, and nothing that cuts existing leases off or has misspelt fields, unless --force says so. Where an etcd has neither configuration nor leases, it may be the wrong one: --create says that it is not. It prints how to undo it.`,
  flags: [CONFIG_YES, CONFIG_FORCE, CONFIG_CREATE, COMMON.json, COMMON.color, ...ETCD_ACCESS_FLAGS],
  exits:
    '0 when it is done, and for validate and diff when nothing would break or differ; 1 otherwise; 2 for bad usage, and for a configuration that agents would not take.',
}
