import type { Machine } from './fault.ts'

/** The first line below a JavaScript error: `    at name (file:1:2)`. */
const STACK = /^.*\n\s+at .+:\d+:\d+\)?$/m

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
      const stack = STACK.exec(log.slice(this.#readUpTo.get(machine) ?? 0))
      this.#readUpTo.set(machine, log.length)
      return stack ? [`${machine.host.name} logged a stack: ${stack[0]}`] : []
    })
    return (await Promise.all(found)).flat()
  }
}
