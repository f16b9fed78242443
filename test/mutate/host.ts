import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { insideNamespace } from '../setup/namespace.mjs'
import type { Tree } from './tree.ts'

export interface TestFile {
  readonly file: string
  readonly project: string
}

export type Ending =
  | { readonly how: 'passed'; readonly durationMs: number }
  | { readonly how: 'failed'; readonly test: string; readonly message: string; readonly durationMs: number }
  | { readonly how: 'timed out' }

export interface HostSettings {
  readonly projects: readonly string[]
  readonly seed: number
}

/** What a test of `core` may take, and one that waits for kernel and daemons. */
const CORE_TEST_MS = 10_000
const LAB_TEST_MS = 30_000

/** Of each property; enough to meet what an ordinary run of thousands meets in nearly every case. */
const PROPERTY_RUNS = '100'

interface Answer {
  readonly files?: readonly TestFile[]
  readonly durationMs?: number
  readonly failure?: { readonly test: string; readonly message: string }
}

interface Running {
  readonly child: ChildProcess
  readonly input: Writable
  readonly lines: Interface
}

const usesLab = (projects: readonly string[]): boolean => projects.some((project) => project !== 'core')

function start(tree: Tree, { projects, seed }: HostSettings): Running {
  const limit = usesLab(projects) ? LAB_TEST_MS : CORE_TEST_MS
  const script = join(tree.root, 'test/mutate/host.mjs')
  const line = [process.execPath, script, projects.join(','), String(limit)]
  const [command, ...args] = insideNamespace(line)
  if (command === undefined) throw new Error('no command')
  const child = spawn(command, args, {
    cwd: tree.root,
    env: {
      ...process.env,
      TMPDIR: tree.temporary,
      FUZZ_RUNS: PROPERTY_RUNS,
      MUTATE_SEED: String(seed),
      NODE_OPTIONS: '',
    },
    stdio: ['pipe', 'ignore', process.env['MUTATE_DEBUG'] === undefined ? 'ignore' : 'inherit', 'pipe'],
    detached: true,
  })
  const { stdin } = child
  const answers = child.stdio[3]
  if (stdin === null || answers === null || answers === undefined) throw new Error('a host without pipes')
  stdin.on('error', () => undefined)
  return { child, input: stdin, lines: createInterface({ input: answers as Readable }) }
}

/** A warm vitest in a process group of its own, started anew after it had to be stopped. */
export class Host {
  readonly tree: Tree
  readonly #settings: HostSettings
  #running: Running | undefined

  constructor(tree: Tree, settings: HostSettings) {
    this.tree = tree
    this.#settings = settings
  }

  /** Starts it if it does not run. @returns the test files of its projects */
  async open(): Promise<readonly TestFile[]> {
    await this.close()
    this.#running = start(this.tree, this.#settings)
    const answer = await this.#answer(this.#running, START_MS)
    if (answer?.files === undefined) throw new Error('vitest did not start; see MUTATE_DEBUG=1')
    return answer.files
  }

  /** @param changed files that are no longer as they were when they were read last */
  async run(file: string, changed: readonly string[], limitMs: number): Promise<Ending> {
    if (this.#running === undefined) await this.open()
    const running = this.#running
    if (running === undefined) throw new Error('no host')
    running.input.write(`${JSON.stringify({ file, changed })}\n`)
    const answer = await this.#answer(running, limitMs)
    if (answer === undefined) {
      await this.close()
      return { how: 'timed out' }
    }
    const durationMs = answer.durationMs ?? 0
    if (answer.failure === undefined) return { how: 'passed', durationMs }
    if (answer.failure.message.includes('timed out in')) return { how: 'timed out' }
    return { how: 'failed', ...answer.failure, durationMs }
  }

  /** The next line, or undefined when there is none in time, or the host died. */
  #answer({ child, lines }: Running, limitMs: number): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const done = (answer: Answer | undefined): void => {
        clearTimeout(timer)
        lines.off('line', read).off('close', gone)
        child.off('error', gone)
        resolve(answer)
      }
      const read = (line: string): void => {
        done(JSON.parse(line) as Answer)
      }
      const gone = (): void => {
        done(undefined)
      }
      const timer = setTimeout(gone, limitMs)
      lines.on('line', read).on('close', gone)
      child.on('error', gone)
    })
  }

  /** Ends the host and what it started, at once. */
  async close(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (running === undefined) return
    const { child } = running
    const ended = new Promise<void>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve()
      else
        child.once('exit', () => {
          resolve()
        })
    })
    this.kill(child)
    await ended
  }

  kill(child = this.#running?.child): void {
    if (child?.pid === undefined) return
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
  }
}

const START_MS = 60_000
