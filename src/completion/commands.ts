import { CLEANUP_HELP } from '../cli/cleanup.ts'
import { SUBCOMMANDS } from '../cli/commands.ts'
import { CNI_HELP } from '../cni/help.ts'
import { DOCKER_OPTS_HELP } from '../docker/docker-opts.ts'

import { helpOf } from '../cli/command/spec.ts'
import { BUGREPORT } from '../cli/specs/bugreport.ts'
import { COMPLETION } from '../cli/specs/completion.ts'
import { DOCTOR } from '../cli/specs/doctor.ts'
import { EVENTS } from '../cli/specs/events.ts'
import { INSTALL_CNI } from '../cli/specs/install-cni.ts'
import { PAGE } from '../cli/specs/page.ts'
import { PEERS } from '../cli/specs/peers.ts'
import { PING } from '../cli/specs/ping.ts'
import { CONFIG } from '../cli/specs/config.ts'
import { LEASES } from '../cli/specs/leases.ts'
import { RELEASE } from '../cli/specs/release.ts'
import { RESERVE } from '../cli/specs/reserve.ts'
import { PLAN } from '../cli/specs/plan.ts'
import { STATUS } from '../cli/specs/status.ts'
import { TRACE } from '../cli/specs/trace.ts'

type Name = (typeof SUBCOMMANDS)[number]['name']

/** The help of each command. */
const HELP: Readonly<Record<Name, string>> = {
  'docker-opts': DOCKER_OPTS_HELP,
  cleanup: CLEANUP_HELP,
  cni: CNI_HELP,
  'install-cni': helpOf(INSTALL_CNI),
  doctor: helpOf(DOCTOR),
  plan: helpOf(PLAN),
  leases: helpOf(LEASES),
  config: helpOf(CONFIG),
  reserve: helpOf(RESERVE),
  release: helpOf(RELEASE),
  status: helpOf(STATUS),
  trace: helpOf(TRACE),
  bugreport: helpOf(BUGREPORT),
  peers: helpOf(PEERS),
  events: helpOf(EVENTS),
  ping: helpOf(PING),
  page: helpOf(PAGE),
  completion: helpOf(COMPLETION),
}

export interface DescribedCommand {
  readonly name: Name
  readonly summary: string
  readonly links: readonly string[]
  readonly help: string
  /** Its flags as they are typed, in the order of its help. */
  readonly flags: readonly string[]
}

export const COMMANDS: readonly DescribedCommand[] = SUBCOMMANDS.map(({ name, summary, links }) => ({
  ...{ name, summary, links },
  help: HELP[name],
  flags: flagsIn(HELP[name]),
}))

function flagsIn(help: string): readonly string[] {
  const named = Array.from(help.matchAll(/(?<![\w-])(--[a-z][a-z0-9-]*|-[a-zA-Z0-9])(?![\w-])/g), ([flag]) => flag)
  return [...new Set(named)]
}
