import type { Machine } from './fault.ts'

/** An error's message and the line below it: `    at name (file:1:2)`. */
const STACK = /^.*\n\s+at .+:\d+:\d+\)?$/m

/** The beginning of the first stack in a log; undefined when there is none. */
export const stackIn = (log: string): string | undefined => STACK.exec(log)?.[0]

/** Looks for agents that ended by themselves, and for stacks in their logs. */
export class Watchman {
  readonly #readUpTo = new Map<Machine, number>()

  /** Agents that no fault has ended and that do not run. */
  endings(machines: readonly Machine[]): string[] {
    return machines
      .filter(({ host, isDown }) => !isDown && !host.agent.isRunning)
      .map(({ host }) => `the agent of ${host.name} has ended by itself`)
  }

  /** Stacks that were logged since the last look. */
  async stacks(machines: readonly Machine[]): Promise<string[]> {
    const found = machines.map(async (machine) => {
      const log = await machine.host.agent.log()
      const stack = stackIn(log.slice(this.#readUpTo.get(machine) ?? 0))
      this.#readUpTo.set(machine, log.length)
      return stack === undefined ? [] : [`${machine.host.name} logged a stack: ${stack}`]
    })
    return (await Promise.all(found)).flat()
  }
}
