import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { exitOf, outcomeOf, outputOf, startLogged, type CommandLine, type Outcome, type RunOptions } from './command.ts'
import { parseObjects, type JsonObject } from './json.ts'

/** A place to run commands in: the laboratory's own namespaces, or those of a simulated machine. */
export class Place {
  readonly #prefix: readonly string[]

  /** @param prefix what stands before a command to run it here; empty for the namespaces we are in */
  constructor(prefix: readonly string[] = []) {
    this.#prefix = prefix
  }

  line(command: string, args: readonly string[]): CommandLine {
    const [first = command, ...rest] = [...this.#prefix, command, ...args]
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

/** Network, mount and UTS namespaces of their own, held open by a process that ends with its standard input. */
export class Namespace extends Place {
  readonly #holder: ChildProcessWithoutNullStreams

  private constructor(holder: ChildProcessWithoutNullStreams, pid: number) {
    super(['nsenter', `--target=${pid}`, '--net', '--mount', '--uts', '--'])
    this.#holder = holder
  }

  /**
   * @param setup shell script run first inside; any failing command fails the creation
   * @param from where to branch off: the mounts are those of this place
   */
  static async create(setup: string, from: Place = new Place()): Promise<Namespace> {
    const script = `set -e\n${setup}\necho ready\nexec cat`
    const [command, ...args] = from.line('unshare', ['--net', '--mount', '--uts', 'sh', '-c', script])
    const holder = spawn(command, args)
    const complaints: Buffer[] = []
    holder.stderr.on('data', (chunk: Buffer) => complaints.push(chunk))
    await Promise.race([once(holder.stdout, 'data'), once(holder, 'close')])
    if (holder.exitCode !== null || holder.pid === undefined)
      throw new Error(`cannot set up a namespace: ${Buffer.concat(complaints).toString()}`)
    return new Namespace(holder, holder.pid)
  }

  /** Process whose namespaces these are, as seen in the laboratory's PID namespace. */
  get pid(): number | undefined {
    return this.#holder.pid
  }

  /** Ends the holder; the namespaces go when the last process in them does. */
  async close(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return
    const ended = exitOf(this.#holder)
    this.#holder.kill('SIGKILL')
    await ended
  }
}
