import type { AddressState, KernelChange, LinkState } from '../../kernel/kernel.ts'
import type { Prefix } from '../../net/prefix.ts'
import { prefixContains } from '../../net/prefix.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import { isCurable } from '../runtime/retry.ts'
import { isStopped, type Task } from '../runtime/task.ts'

/** However often addresses come and go, peers are not judged anew more often than this, in milliseconds. */
const APART_MS = 2_000
/** Only a ring matters. */
const IDLE_MS = 3_600_000

export interface OwnAddressesInput {
  readonly ports: Pick<AgentPorts, 'kernel'>
  /** Our own: addresses in them come and go with containers, and nobody else can publish one. */
  readonly subnets: readonly Prefix[]
  /** Told when this host has come by another address, or lost one; never before {@link OwnAddresses.read}. */
  readonly onChange: () => void
}

/**
 * Knows which addresses this host has, on any interface: whoever publishes one of them cannot be reached. Read once, then kept by what the
 * kernel reports.
 */
export class OwnAddresses implements Task {
  readonly name = 'own addresses'
  readonly watchedLinks: readonly number[] = []
  readonly wantsOtherRoutes = false
  readonly #input: OwnAddressesInput
  readonly #bell = new Wakeup()
  readonly #names = new Map<number, string>()
  /** The interfaces with an address, by its text: several may have it. */
  #linksByIp = new Map<string, Set<number>>()
  #isOutdated = false
  #hasChanged = false

  constructor(input: OwnAddressesInput) {
    this.#input = input
  }

  /** The interface that has the address; undefined: none of this host. */
  interfaceOf(ip: string): string | undefined {
    const [index] = this.#linksByIp.get(ip) ?? []
    return index === undefined ? undefined : (this.#names.get(index) ?? `link ${index}`)
  }

  /**
   * To be called before the first question; what it finds is no change. @throws never; what cannot be read now is read when the task
   * runs
   */
  async read(signal: AbortSignal): Promise<void> {
    await this.#read(signal)
    this.#hasChanged = false
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { kernel } = this.#input.ports
    try {
      const [links, addresses] = [await kernel.links(signal), await kernel.addresses(signal)]
      for (const link of links) this.#names.set(link.index, link.name)
      const counted = addresses.filter((one) => this.#counts(one))
      const linksByIp = new Map<string, Set<number>>()
      for (const { ip, linkIndex } of counted)
        linksByIp.set(ip.text, new Set([...(linksByIp.get(ip.text) ?? []), linkIndex]))
      this.#hasChanged ||=
        linksByIp.size !== this.#linksByIp.size || [...linksByIp.keys()].some((ip) => !this.#linksByIp.has(ip))
      this.#linksByIp = linksByIp
      this.#isOutdated = false
    } catch (error) {
      if (!isCurable(error)) throw error
      this.#isOutdated = true
    }
  }

  /** The kernel reports a change, of whatever. Costs next to nothing: containers come and go by the hundred. */
  observe(change: KernelChange): void {
    if (change.kind === 'link') this.#noteLink(change.link, change.gone)
    else if (change.kind === 'overrun') this.#outdate()
    else if (change.kind === 'address') this.#noteAddress(change.address, change.gone)
  }

  /** To be called when the kernel is being listened to. */
  async run({ signal, rest }: Loop): Promise<void> {
    await this.#read(signal)
    while (!isStopped(signal)) {
      if (this.#takeChange()) this.#input.onChange()
      await rest(APART_MS)
      await rest(this.#isOutdated || this.#hasChanged ? 0 : IDLE_MS, this.#bell)
      if (this.#isOutdated) await this.#read(signal)
    }
  }

  #takeChange(): boolean {
    const hasChanged = this.#hasChanged
    this.#hasChanged = false
    return hasChanged
  }

  #counts({ ip, scope }: AddressState): boolean {
    const isOfContainers = this.#input.subnets.some((subnet) => prefixContains(subnet, ip))
    return !isOfContainers && scope !== 'host' && scope !== 'link' && scope !== 'nowhere'
  }

  #noteLink({ index, name }: LinkState, gone: boolean): void {
    if (gone) this.#names.delete(index)
    else this.#names.set(index, name)
  }

  #noteAddress(address: AddressState, gone: boolean): void {
    const { ip, linkIndex } = address
    if (!this.#counts(address)) return
    const links = this.#linksByIp.get(ip.text) ?? new Set()
    if (gone) links.delete(linkIndex)
    else links.add(linkIndex)
    const wasThere = this.#linksByIp.has(ip.text)
    if (links.size === 0) this.#linksByIp.delete(ip.text)
    else this.#linksByIp.set(ip.text, links)
    if (wasThere === links.size > 0) return
    this.#hasChanged = true
    this.#bell.ring()
  }

  #outdate(): void {
    this.#isOutdated = true
    this.#bell.ring()
  }
}
