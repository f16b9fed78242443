import type { ChildProcess } from 'node:child_process'
import { exitOf, type Exit } from './command.ts'

/** A shell script that runs until it is ended. */
export class Script {
  readonly #child: ChildProcess
  readonly #exit: Promise<Exit>

  constructor(child: ChildProcess) {
    this.#child = child
    this.#exit = exitOf(child)
    this.#exit.catch(() => undefined)
  }

  /** Ends it, and waits for that. */
  async end(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
  }
}
