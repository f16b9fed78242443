import type { LinkState } from '../../kernel/kernel.ts'
import { carriesNothing, type Underlay } from '../../kernel/underlay.ts'
import type { Ip } from '../../net/ip.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import { isCurable } from '../runtime/retry.ts'
import { isStopped, ROUND_MS, type Task } from '../runtime/task.ts'

/** Nothing of the start waits for it, in milliseconds. */
const FIRST_MS = 3_000
/** Routes that change are not reported, in milliseconds. */
const PERIODIC_MS = 300_000

export interface StoreWayInput {
  readonly ports: Pick<AgentPorts, 'kernel' | 'conditions'> & {
    readonly subnets: Pick<AgentPorts['subnets'], 'endpoints' | 'store'>
  }
  readonly underlays: () => Iterable<Underlay>
}

/**
 * Looks whether the store of leases is reached over the underlay. Where it is not, the underlay may be the wrong one: with Vagrant, the default
 * route leads to a NAT of each machine's own, and the store and the other hosts are on another card. It may be meant, so that is said once.
 */
export class StoreWayTask implements Task {
  readonly name: string
  readonly roundMs = ROUND_MS.kernel
  readonly #input: StoreWayInput
  readonly #bell = new Wakeup()

  constructor(input: StoreWayInput) {
    this.#input = input
    this.name = `way to ${input.ports.subnets.store}`
  }

  /** The underlay, or where the store is, has changed. */
  ask(): void {
    this.#bell.ring()
  }

  async run({ signal, rest }: Loop): Promise<void> {
    await rest(FIRST_MS)
    while (!isStopped(signal)) {
      try {
        await this.#look(signal)
      } catch (error) {
        if (!isCurable(error) && !signal.aborted) throw error // else the next look
      }
      await rest(PERIODIC_MS, this.#bell)
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { conditions, subnets } = this.#input.ports
    const what = `way to ${subnets.store}`
    const [underlay] = this.#input.underlays()
    const stray = underlay && (await this.#stray(underlay, signal))
    if (underlay === undefined || stray === undefined) {
      conditions.holds(what)
      return
    }
    const { name } = underlay.link
    const reason = `${subnets.store} (${stray.address.text}) is reached over ${stray.link.name}, and not over ${name}, the underlay`
    conditions.fails(what, reason, 'none', {
      says: `${reason}: if the other hosts are there as well, --iface=${stray.link.name} is meant`,
      saysHolds: false,
      repeats: false,
    })
  }

  /** An address of the store on another host, and the interface to it, if none of all is reached over the underlay. */
  async #stray(
    { link: own }: Underlay,
    signal: AbortSignal,
  ): Promise<{ readonly address: Ip; readonly link: LinkState } | undefined> {
    const { kernel, subnets } = this.#input.ports
    if (carriesNothing(own)) return undefined
    const links = await kernel.links(signal)
    let stray: { readonly address: Ip; readonly link: LinkState } | undefined
    for (const address of subnets.endpoints.all) {
      const way = await kernel.lookup(address, signal)
      const link = links.find(({ index }) => index === way?.linkIndex)
      if (link?.index === own.index) return undefined
      if (link !== undefined && !carriesNothing(link)) stray ??= { address, link }
    }
    return stray
  }
}
