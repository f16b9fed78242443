import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { exitOf, type CommandLine } from '../lab/command.ts'
import { waitFor, type Lab, type LabHost } from '../lab/index.ts'
import { ETCD_PREFIX } from '../lab/lab.ts'

/** Whatever it does takes less than that, in milliseconds: what hangs is to end. */
const DEADLINE_MS = 120_000

export interface AgentPlace {
  readonly lab: Lab
  readonly host: LabHost
  /** Seen by the host: for the subnet file and the log. */
  readonly folder: string
  /** In etcd; the laboratory's own where absent. */
  readonly prefix?: string
  /** Which store it asks, and by which interface; the laboratory's etcd where absent. */
  readonly flags?: readonly string[]
}

/** An agent on a simulated host, as the bench looks at it: from outside, and without asking it anything. */
export class AgentProcess {
  readonly host: LabHost
  readonly #child: ChildProcess
  /** Of its own: its socket lies beside the subnet file. */
  readonly #folder: string
  readonly #subnetFile: string
  readonly #logFile: string
  readonly #startedMs: number

  /** Executes it. Flags are those that it cannot do without, and no probes of health. */
  constructor({ lab, host, folder, prefix = ETCD_PREFIX, flags }: AgentPlace, program: CommandLine) {
    this.host = host
    this.#folder = join(folder, host.name)
    mkdirSync(this.#folder, { recursive: true })
    this.#subnetFile = join(this.#folder, 'subnet.env')
    this.#logFile = join(this.#folder, 'log')
    rmSync(this.#subnetFile, { force: true })
    const [first, ...rest] = program
    const endpoints = `--etcd-endpoints=${lab.etcd.endpoints.join(',')}`
    const store = flags ?? [endpoints, `--etcd-prefix=${prefix}`, '--iface=eth0']
    const line = [...rest, ...store, `--subnet-file=${this.#subnetFile}`]
    const [command, ...args] = host.place.line(first, line)
    const log = openSync(this.#logFile, 'a')
    this.#startedMs = performance.now()
    this.#child = spawn(command, args, { stdio: ['ignore', log, log] })
    closeSync(log)
  }

  get pid(): number {
    const { pid } = this.#child
    if (pid === undefined) throw new Error(`the agent of ${this.host.name} was not started`)
    return pid
  }

  /** Waits for its subnet file. @returns milliseconds since it was executed */
  async ready(): Promise<number> {
    const look = (): boolean => existsSync(this.#subnetFile) || this.#isOver()
    await waitFor(`the subnet file of ${this.host.name}`, look, { deadlineMs: DEADLINE_MS, everyMs: 1 })
    const tookMs = performance.now() - this.#startedMs
    if (this.#isOver()) throw new Error(`the agent of ${this.host.name} has ended:\n${this.log()}`)
    return tookMs
  }

  /** Does nothing until it is thawed: what is looked at meanwhile does not change. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  /** Name of its lease in etcd, by its subnet file. */
  leaseName(): string {
    const [, base] = /^FLANNEL_SUBNET=(\d+\.\d+\.\d+)\.1\/24$/m.exec(readFileSync(this.#subnetFile, 'utf8')) ?? []
    if (base === undefined) throw new Error(`${this.host.name} has no subnet of 24 bits`)
    return `${base}.0-24`
  }

  /** Write requests that it has sent to the kernel, as it counts them itself. */
  async kernelWrites(): Promise<number> {
    const metrics = await answerOf(join(this.#folder, 'flanneld.sock'), '/metrics')
    const count = /^flannel_netlink_writes_total (\d+)$/m.exec(metrics)?.[1]
    if (count === undefined) throw new Error(`the agent of ${this.host.name} does not say what it wrote`)
    return Number(count)
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8').slice(-4_000)
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.#isOver()) return
    const ended = exitOf(this.#child)
    this.#child.kill(signal)
    await ended
  }

  #isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }
}

/** What is answered at a Unix socket. */
async function answerOf(socketPath: string, path: string): Promise<string> {
  const [response] = (await once(get({ socketPath, path }), 'response')) as [IncomingMessage]
  return text(response)
}
