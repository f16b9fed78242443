import { stopSignal } from './commands/stop-signal.ts' // first: see there
import packageJson from '../package.json' with { type: 'json' }
import { chooseCommand, type CommandName, type RunCommand } from './cli/commands.ts'
import { EXIT } from './cli/exit-codes.ts'
import { sayLast } from './commands/last-words.ts'
import { ConfigError } from './config/error.ts'

/** What is deprecated in a library is for us to read, in tests, and not for the daemon's log. */
process.noDeprecation = true

/** Each command is loaded when it is asked for: a short-lived one has no use for what the daemon takes long to load. */
const LOADERS: Readonly<Record<CommandName, () => Promise<{ readonly run: RunCommand }>>> = {
  daemon: () => import('./commands/daemon.ts'),
  cleanup: () => import('./commands/cleanup.ts'),
  cni: () => import('./commands/cni.ts'),
  'install-cni': () => import('./commands/install-cni.ts'),
  'docker-opts': () => import('./commands/docker-opts.ts'),
  completion: () => import('./commands/look/completion.ts'),
  events: () => import('./commands/look/events.ts'),
  peers: () => import('./commands/look/peers.ts'),
  ping: () => import('./commands/look/ping.ts'),
  doctor: () => import('./commands/examine/doctor.ts'),
  config: () => import('./commands/store/config.ts'),
  leases: () => import('./commands/store/leases.ts'),
  release: () => import('./commands/store/release.ts'),
  reserve: () => import('./commands/store/reserve.ts'),
  plan: () => import('./commands/planning/plan.ts'),
  bugreport: () => import('./commands/inspect/bugreport.ts'),
  trace: () => import('./commands/inspect/trace.ts'),
  status: () => import('./commands/look/status.ts'),
  page: () => import('./commands/page/page.ts'),
}

async function main(): Promise<number> {
  const [, path = '', ...given] = process.argv
  let speaker = 'flanneld'
  try {
    const { command, args } = chooseCommand(path, given)
    if (command !== 'daemon') speaker = `flanneld ${command}`
    const { run } = await LOADERS[command]()
    return await run({ args, environment: process.env, version: packageJson.version, stopSignal })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    sayLast(error.message, speaker)
    return EXIT.usage
  }
}

function fail(error: unknown): never {
  sayLast(error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.exit(EXIT.failed)
}

// Whoever read our log may go away; that is no reason to stop. What a command prints is looked after where it is printed.
process.stderr.on('error', () => undefined)
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)
main().then((code) => process.exit(code), fail)
