import type { ChildProcess } from 'node:child_process'
import { exitOf } from '../lab/command.ts'
import { waitFor, type Container } from '../lab/index.ts'

let logs = 0

/**
 * Pings of which each is a connection of its own to the kernel, at most 25 a second, until stopped: one after the other finds the rules
 * as they stand at that moment, where those of one stream follow what the first has met.
 */
export class FreshFlows {
  readonly #container: Container
  readonly #log = `/run/flows-${logs++}.log`
  readonly #child: ChildProcess

  constructor(container: Container, to: string) {
    this.#container = container
    const one = `ping -n -q -c1 -W2 ${to} >/dev/null && echo answered >>${this.#log} || echo lost >>${this.#log}`
    this.#child = container.place.start('/dev/null', 'sh', ['-c', `while :; do ${one}; sleep 0.04; done`])
  }

  async #lines(): Promise<readonly string[]> {
    const { stdout } = await this.#container.place.attempt('cat', [this.#log])
    return stdout.split('\n').filter((line) => line !== '')
  }

  /** Resolves when `more` further pings have been answered. */
  async progress(more: number, deadlineMs: number): Promise<void> {
    const answered = async (): Promise<number> => (await this.#lines()).filter((line) => line === 'answered').length
    const before = await answered()
    await waitFor(`${more} more answers`, async () => (await answered()) >= before + more, { deadlineMs })
  }

  /** Ends it. @returns which, counted from 1, were not answered */
  async stop(): Promise<{ readonly lost: readonly number[] }> {
    const ended = exitOf(this.#child)
    this.#child.kill('SIGKILL')
    await ended
    return { lost: (await this.#lines()).flatMap((line, at) => (line === 'lost' ? at + 1 : [])) }
  }
}
