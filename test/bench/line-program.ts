import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { exitOf, type CommandLine } from '../lab/command.ts'

/** A C program that says `ready`, speaks in lines from then on, and ends with its standard input. */
export class LineProgram {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  /** Settles when it is no more, whoever ended it. */
  readonly ended: Promise<unknown>
  #hear: (line: string) => void = () => undefined

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child
    this.ended = exitOf(child)
  }

  /** Given once it is ready. @param said what it is told before that */
  static async start([command, ...args]: CommandLine, said: readonly string[] = []): Promise<LineProgram> {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const program = new LineProgram(child)
    const lines = createInterface({ input: child.stdout })
    const ready = once(lines, 'line')
    for (const line of said) program.say(line)
    await Promise.race([ready, program.ended.then(() => Promise.reject(new Error(`${command} ends at once`)))])
    lines.on('line', (line) => {
      program.#hear(line)
    })
    return program
  }

  /** Of the program itself, for who starts it becomes it. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** From now on every line goes there, and to nobody else. */
  hear(listener: (line: string) => void): void {
    this.#hear = listener
  }

  say(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  async close(): Promise<void> {
    this.#child.stdin.end()
    await this.ended
  }
}
