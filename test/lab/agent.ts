import { execFile, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { exitOf, type CommandLine, type Exit } from './command.ts'
import type { Place } from './namespace.ts'
import { waitFor } from './wait-for.ts'

const STOP_DEADLINE_MS = 10_000
/** USER_HZ: 100 on every Linux that matters (getconf CLK_TCK). */
const TICKS_PER_SECOND = 100

/** Processor time, in milliseconds, of the empty program that shares of a processor are told by (docs/performance.md). */
const EMPTY_NODE_MS = 25

/** What it takes here and now: the least of three. */
async function emptyNodeMs(): Promise<number> {
  const program = 'const { user, system } = process.cpuUsage(); console.log((user + system) / 1000)'
  const taken: number[] = []
  for (let run = 0; run < 3; run++) {
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', program])
    taken.push(Number(stdout))
  }
  return Math.min(...taken)
}

function outcomeOfReading(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    return String(error)
  }
}

/** The daemon of one host: started, stopped, killed and frozen at will; its log outlives each run. */
export class Agent {
  readonly #place: Place
  readonly #command: CommandLine
  readonly #defaultFlags: readonly string[]
  /** Where every run writes. */
  readonly logPath: string
  #running: { readonly child: ChildProcess; readonly exit: Promise<Exit> } | undefined
  #runStartsAt = 0

  constructor(place: Place, command: CommandLine, defaultFlags: readonly string[], logPath: string) {
    this.#place = place
    this.#command = command
    this.#defaultFlags = defaultFlags
    this.logPath = logPath
  }

  /** Starts it with the laboratory's flags and these after them. */
  start(extraFlags: readonly string[] = []): void {
    this.startWith([...this.#defaultFlags, ...extraFlags])
  }

  /** Starts it with exactly these flags. */
  startWith(flags: readonly string[]): void {
    if (this.#running) throw new Error('this agent is running already')
    this.#runStartsAt = statSync(this.logPath, { throwIfNoEntry: false })?.size ?? 0
    const [command, ...args] = this.#command
    const child = this.#place.start(this.logPath, command, [...args, ...flags])
    const exit = exitOf(child)
    exit.catch(() => undefined)
    this.#running = { child, exit }
  }

  get isRunning(): boolean {
    return this.#running?.child.exitCode === null && this.#running.child.signalCode === null
  }

  /** Undefined when it does not run. */
  get pid(): number | undefined {
    return this.#running?.child.pid
  }

  /** Waits for the run to end by itself. */
  async exit(deadlineMs = STOP_DEADLINE_MS): Promise<Exit> {
    const running = this.#required()
    await waitFor('the agent to end', () => !this.isRunning, { deadlineMs })
    this.#running = undefined
    return running.exit
  }

  /** SIGTERM, as systemd does it. */
  async stop(): Promise<Exit> {
    this.signal('SIGTERM')
    return this.exit()
  }

  /** SIGKILL: no chance to tidy up. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL')
    return this.exit()
  }

  freeze(): void {
    this.signal('SIGSTOP')
  }

  thaw(): void {
    this.signal('SIGCONT')
  }

  signal(signal: NodeJS.Signals): void {
    this.#required().child.kill(signal)
  }

  /** For somebody who wonders why it says nothing: how it ended, or where in the kernel each of its threads stands. */
  whereabouts(): string {
    const { child } = this.#required()
    if (!this.isRunning) return `ended with ${child.exitCode ?? child.signalCode}`
    const folder = `/proc/${child.pid}/task`
    const shown = (path: string): string => outcomeOfReading(`${folder}/${path}`)
    try {
      return readdirSync(folder)
        .map((thread) =>
          ['stat', 'wchan', 'syscall']
            .map((file) => shown(`${thread}/${file}`).split(' ').slice(0, 3).join(' '))
            .join(', '),
        )
        .join('\n')
    } catch (error) {
      return String(error)
    }
  }

  /** What all runs have written. */
  log(): Promise<string> {
    return readFile(this.logPath, 'utf8').catch(() => '')
  }

  /** What the current (or last) run has written. */
  async logOfRun(): Promise<string> {
    const bytes = await readFile(this.logPath).catch(() => Buffer.alloc(0))
    return bytes.subarray(this.#runStartsAt).toString()
  }

  /** Processor time that its process has used so far, in milliseconds. */
  async cpuMs(): Promise<number> {
    const stat = await readFile(`/proc/${this.#required().child.pid ?? 'self'}/stat`, 'utf8')
    // proc(5): the name stands in parentheses and may hold anything; utime and stime are fields 14 and 15, in ticks.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * (1000 / TICKS_PER_SECOND)
  }

  /**
   * Share of one processor that it takes over this many milliseconds from now: 1 is all of it. Of a processor on which an empty program
   * of Node's takes {@link EMPTY_NODE_MS}, so that it means the same on a slower machine, or a busy one.
   */
  async cpuShare(windowMs: number): Promise<number> {
    const [beforeMs, startMs] = [await this.cpuMs(), performance.now()]
    await delay(windowMs)
    const share = ((await this.cpuMs()) - beforeMs) / (performance.now() - startMs)
    return (share * EMPTY_NODE_MS) / Math.max(await emptyNodeMs(), EMPTY_NODE_MS)
  }

  /** Resident set in bytes, of the process itself. */
  async residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.#required().child.pid ?? 'self'}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
  }

  #required(): { readonly child: ChildProcess; readonly exit: Promise<Exit> } {
    if (!this.#running) throw new Error('this agent does not run')
    return this.#running
  }
}
