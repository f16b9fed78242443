import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { exitOf } from '../lab/command.ts'
import type { Place } from '../lab/namespace.ts'

/** A burst of changes, as `monitor.c` tells of it. */
export interface Burst {
  /** When the last change was read, on the monotonic clock. */
  readonly endNs: bigint
  readonly changes: number
  readonly overflows: number
}

/** `monitor.c` in a namespace: what the kernel says of its tables to anybody who listens. */
export class Monitor {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  #hear: (line: string) => void = () => undefined

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child
  }

  /** Given once it listens. @param isQuiet bursts in place of single changes */
  static async start(place: Place, program: string, isQuiet = false): Promise<Monitor> {
    const [command, ...args] = place.line(program, isQuiet ? ['quiet'] : [])
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const monitor = new Monitor(child)
    const lines = createInterface({ input: child.stdout })
    const ready = once(lines, 'line')
    await Promise.race([ready, exitOf(child).then(() => Promise.reject(new Error(`${program} ends at once`)))])
    lines.on('line', (line) => {
      monitor.#hear(line)
    })
    return monitor
  }

  /** From now on every line goes there, and to nobody else. */
  hear(listener: (line: string) => void): void {
    this.#hear = listener
  }

  /** The bursts from now on, until `done` says that one was the last. */
  async bursts(done: (burst: Burst) => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.hear((line) => {
        if (done(burstOf(line))) resolve()
      })
    })
    this.hear(() => undefined)
  }

  async close(): Promise<void> {
    const ended = exitOf(this.#child)
    this.#child.stdin.end()
    await ended
  }
}

export function burstOf(line: string): Burst {
  const [endNs = '0', changes = '0', overflows = '0'] = line.split(' ')
  return { endNs: BigInt(endNs), changes: Number(changes), overflows: Number(overflows) }
}
