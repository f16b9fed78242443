import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { exitOf, outcomeOf, outputOf, startLogged, type CommandLine, type Outcome, type RunOptions } from './command.ts'
import { parseObjects, type JsonObject } from './json.ts'

/** A place to run commands in: the laboratory's own namespaces, or those of a simulated machine. */
export class Place {
  protected prefix: readonly string[]

  /** @param prefix what stands before a command to run it here; empty for the namespaces we are in */
  constructor(prefix: readonly string[] = []) {
    this.prefix = prefix
  }

  line(command: string, args: readonly string[]): CommandLine {
    const [first = command, ...rest] = [...this.prefix, command, ...args]
    return [first, ...rest]
  }

  /** Standard output; rejects with CommandError on another exit code than 0. */
  exec(command: string, args: readonly string[] = [], options?: RunOptions): Promise<string> {
    return outputOf(this.line(command, args), options)
  }

  /** Whatever came of it. */
  attempt(command: string, args: readonly string[] = [], options?: RunOptions): Promise<Outcome> {
    return outcomeOf(this.line(command, args), options)
  }

  start(logPath: string, command: string, args: readonly string[] = []): ChildProcess {
    return startLogged(this.line(command, args), logPath)
  }

  /** `ip -j -d …`, read. */
  async ip(...args: readonly string[]): Promise<readonly JsonObject[]> {
    return parseObjects(await this.exec('ip', ['-j', '-d', ...args]))
  }

  /** `bridge -j …`, read. */
  async bridge(...args: readonly string[]): Promise<readonly JsonObject[]> {
    return parseObjects(await this.exec('bridge', ['-j', ...args]))
  }

  /** Several `ip` commands in one process; the first that fails ends it. */
  async ipBatch(commands: readonly string[]): Promise<void> {
    await this.exec('ip', ['-batch', '-'], { input: `${commands.join('\n')}\n` })
  }
}

/** Starts a process that runs the setup, then waits for its standard input to end. Given when the setup has succeeded. */
async function startHolder([command, ...args]: CommandLine, setup: string): Promise<Holder> {
  const script = `set -e\n${setup}\necho ready\nexec cat`
  const process = spawn(command, [...args, 'sh', '-c', script])
  const complaints: Buffer[] = []
  process.stderr.on('data', (chunk: Buffer) => complaints.push(chunk))
  await Promise.race([once(process.stdout, 'data'), once(process, 'close')])
  if (process.exitCode !== null || process.pid === undefined)
    throw new Error(`cannot set up a namespace: ${Buffer.concat(complaints).toString()}`)
  return { process, pid: process.pid }
}

interface Holder {
  readonly process: ChildProcessWithoutNullStreams
  readonly pid: number
}

async function endHolder({ process }: Holder): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return
  const ended = exitOf(process)
  process.kill('SIGKILL')
  await ended
}

/** Network, mount and UTS namespaces of their own, held open by a process that ends with its standard input. */
export class Namespace extends Place {
  #holder: Holder

  private constructor(holder: Holder) {
    super(prefixFor(holder))
    this.#holder = holder
  }

  /**
   * @param setup shell script run first inside; any failing command fails the creation
   * @param from where to branch off: the mounts are those of this place
   */
  static async create(setup: string, from: Place = new Place()): Promise<Namespace> {
    return new Namespace(await startHolder(from.line('unshare', ['--net', '--mount', '--uts']), setup))
  }

  /**
   * Goes over to a new network namespace, as a machine does that starts anew: devices, addresses, routes, rules and settings are not
   * in it. Mounts stay. What still runs in the former one keeps it.
   * @param setup shell script run first inside
   */
  async renewNetwork(setup: string): Promise<void> {
    const former = this.#holder
    const inside = ['--mount', '--uts', '--', 'unshare', '--net']
    this.#holder = await startHolder(['nsenter', `--target=${former.pid}`, ...inside], setup)
    this.prefix = prefixFor(this.#holder)
    await endHolder(former)
  }

  /** Process whose namespaces these are, as seen in the laboratory's PID namespace. */
  get pid(): number {
    return this.#holder.pid
  }

  /** Ends the holder; the namespaces go when the last process in them does. */
  close(): Promise<void> {
    return endHolder(this.#holder)
  }
}

const prefixFor = ({ pid }: Holder): readonly string[] => [
  'nsenter',
  `--target=${pid}`,
  ...['--net', '--mount', '--uts', '--'],
]
