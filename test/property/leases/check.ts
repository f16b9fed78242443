import type { Event } from './events.ts'
import { trespasses } from './judgement.ts'
import { rest } from './rest.ts'
import type { Stage } from './stage.ts'
import { LeaseWorld, type Beginning } from './world.ts'

/** Time does not run for long while somebody still tries: nothing new comes of attempts without end. */
const UNSETTLED_MS = 60_000

/**
 * Plays a sequence, and lets it come to rest.
 * @returns how many nodes hold a lease then
 * @throws what was wrong on the way, or is in the end, with the story of it
 */
export async function check(stage: Stage, beginning: Beginning, events: readonly Event[]): Promise<number> {
  const world = new LeaseWorld(stage, beginning)
  try {
    await world.configure(beginning.cut)
    for (const { name, run, thenMs } of events) {
      world.say(`— ${name}`)
      await run(world)
      await world.pass(world.isSettled ? thenMs : Math.min(thenMs, UNSETTLED_MS))
    }
    world.say('— rest')
    for (const node of world.nodes) node.thaw()
    const faults = [...(await rest(world)), ...world.offences, ...trespasses(world)]
    if (faults.length > 0) throw new Error([...faults, '', ...world.log].join('\n'))
    return world.nodes.filter(({ belief }) => belief !== undefined).length
  } finally {
    world.close()
    await stage.close()
  }
}
