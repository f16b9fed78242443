import { faultsOf } from './judgement.ts'
import type { LeaseWorld } from './world.ts'

/** Nothing happens until everybody who runs has come to rest. @returns what is wrong then; nothing, while somebody is frozen */
export async function rest(world: LeaseWorld): Promise<readonly string[]> {
  const { mostMs, stepMs } = world.stage.quiet
  let faults: readonly string[] = []
  let calm = 0
  for (let passedMs = 0; passedMs < mostMs && calm < 2; passedMs += stepMs) {
    const before = world.writes
    await world.pass(stepMs)
    const late = world.writes === before ? [] : ['nodes of ours still write leases']
    faults = world.nodes.some(({ isFrozen }) => isFrozen) ? [] : [...late, ...(await faultsOf(world))]
    calm = faults.length === 0 ? calm + 1 : 0
  }
  return faults
}
