import type { KernelChange, LinkState, RouteState } from '../../kernel/kernel.ts'
import { DEVICE_ALIAS, familyOfDevice } from '../../kernel/marks.ts'
import type { Family } from '../../net/ip.ts'
import {
  findFormer,
  type FormerThing,
  type PresentFamily,
  type UnprovenDevice,
} from '../../reconcile/former/find-former.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { Loop } from '../../time/loop.ts'
import type { ChangeFollower } from './kernel-changes-task.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import { isCurable } from '../runtime/retry.ts'
import { isStopped, ROUND_MS, type Task } from '../runtime/task.ts'

export type { PresentFamily } from '../../reconcile/former/find-former.ts'

export interface FormerTaskInput {
  readonly ports: Pick<AgentPorts, 'kernel' | 'log' | 'conditions'>
  /** What is kept at the moment; of a family that does not stand yet, the links do not matter. */
  readonly present: () => readonly PresentFamily[]
}

/** While something is amiss, the host is looked at again this often, in milliseconds. */
const AGAIN_MS = 60_000
/** Thousands of routes can have been left behind. */
const MOST_NAMED = 10

/** The kernel goes through the whole table for each link that it is asked of. */
const MOST_ASKED_OF = 16
const FAMILIES = [4, 6] as const

const CONDITION = 'former configuration'

/**
 * Removes what another configuration has left on this host, once the tables stand that take its place: its longer prefixes would win over
 * present routes, and for its addresses the kernel refuses gateways. What is not proved ours is named, and left alone. Where nothing is
 * left, this looks once.
 */
export class FormerTask implements Task, ChangeFollower {
  readonly name = CONDITION
  readonly roundMs = ROUND_MS.kernel
  /** Tables are looked at as a whole. */
  readonly watchedLinks = []
  readonly wantsOtherRoutes = false
  readonly #input: FormerTaskInput
  readonly #standing = new Set<Family>()
  readonly #bell = new Wakeup()
  #named: ReadonlySet<string> = new Set()

  constructor(input: FormerTaskInput) {
    this.#input = input
  }

  /** The tables of this family have been complete once. */
  stands(family: Family): void {
    this.#standing.add(family)
    this.#bell.ring()
  }

  /** What is kept has become another: the host is looked at again. */
  ask(): void {
    this.#bell.ring()
  }

  /** The kernel reports a change: of what was named, or of a device that may be worth naming. */
  observe(change: KernelChange): void {
    if (change.kind !== 'link') return
    const { name, alias } = change.link
    const looksOurs = alias === DEVICE_ALIAS || familyOfDevice(name) !== undefined
    const isPresent = this.#input.present().some(({ device }) => device === name)
    if (this.#named.has(name) ? change.gone : looksOurs && !isPresent && !change.gone) this.#bell.ring()
  }

  async run({ signal, rest }: Loop): Promise<void> {
    while (!isStopped(signal)) {
      const isDone = this.#standing.size === 0 || (await this.#tend(signal))
      await rest(isDone ? Infinity : AGAIN_MS, this.#bell)
    }
  }

  /** @returns whether nothing is left to remove or to name */
  async #tend(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#look(signal)
    } catch (error) {
      if (signal.aborted || !isCurable(error)) throw error
      this.#fails(`cannot be looked for: ${error.message}`, 'none')
      return false
    }
  }

  async #look(signal: AbortSignal): Promise<boolean> {
    const { kernel, conditions } = this.#input.ports
    const links = await kernel.links(signal)
    const addresses = await kernel.addresses(signal)
    const present = this.#present()
    const routes = await this.#routesBeside(links, present, signal)
    const { things, unproven } = findFormer({ links, addresses, routes }, present)
    const refusals = await this.#remove(
      things.filter(({ family }) => this.#mayGo(family, present)),
      signal,
    )
    this.#named = new Set(unproven.map(({ link }) => link.name))
    const reasons = [...refusals.slice(0, MOST_NAMED), ...unproven.map(described)]
    const isInTheWay = refusals.length > 0 || unproven.some(({ inTheWay }) => inTheWay !== undefined)
    if (reasons.length === 0) conditions.holds(CONDITION)
    else this.#fails(reasons.join('; '), isInTheWay ? 'degraded' : 'none')
    return reasons.length === 0
  }

  /** Routes of other links than those of the overlay, which have one for each peer: these are not even read, but where there are many links. */
  async #routesBeside(
    links: readonly LinkState[],
    present: readonly PresentFamily[],
    signal: AbortSignal,
  ): Promise<readonly RouteState[]> {
    const { kernel } = this.#input.ports
    const isKept = ({ index }: LinkState): boolean => present.some((one) => one.links?.includes(index) === true)
    const others = links.filter((link) => !isKept(link))
    const routes: (readonly RouteState[])[] = []
    for (const family of FAMILIES)
      if (others.length > MOST_ASKED_OF) routes.push(await kernel.routes(family, signal))
      else
        for (const { index } of others)
          routes.push(
            (await kernel.routes(family, signal, { linkIndex: index })).filter(({ linkIndex }) => linkIndex === index),
          )
    return routes.flat()
  }

  /** What is kept of a family counts once it stands. */
  #present(): readonly PresentFamily[] {
    return this.#input.present().map((one) => (this.#standing.has(one.family) ? one : { ...one, links: undefined }))
  }

  /** What takes the place of it stands, or nothing does. */
  #mayGo(family: Family, present: readonly PresentFamily[]): boolean {
    return this.#standing.has(family) || present.every((one) => one.family !== family)
  }

  /** @returns what could not be removed, and why */
  async #remove(things: readonly FormerThing[], signal: AbortSignal): Promise<readonly string[]> {
    if (things.length === 0) return []
    const { kernel, log } = this.#input.ports
    const results = await kernel.apply(
      things.map(({ removal }) => removal),
      signal,
    )
    const removed = things.filter((_, at) => results[at]?.ok === true).map(({ name }) => name)
    if (removed.length > 0) log.info('what a former configuration left is removed', { removed: listed(removed) })
    return things.flatMap(({ name }, at) => {
      const result = results[at]
      return result?.ok === false ? [`cannot remove ${name}: ${result.error.message}`] : []
    })
  }

  #fails(reason: string, effect: 'none' | 'degraded'): void {
    this.#input.ports.conditions.fails(CONDITION, reason, effect, {
      says: `left by a former configuration: ${reason}`,
      saysHolds: false,
    })
  }
}

const listed = (names: readonly string[]): string =>
  names.length <= MOST_NAMED
    ? names.join(', ')
    : `${names.slice(0, MOST_NAMED).join(', ')} and ${names.length - MOST_NAMED} more`

/** With the cure, where it is in the way. */
function described({ link: { name }, why, inTheWay }: UnprovenDevice): string {
  const what = `${name} looks like a device of flanneld, but is not proved ours (${why}), and is left alone`
  return inTheWay === undefined
    ? what
    : `${what}; its ${inTheWay} is in the way of our network: if nobody uses it, remove it (ip link delete ${name})`
}
