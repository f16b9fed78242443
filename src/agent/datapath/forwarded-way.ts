import type { Kernel, KernelChange, RouteQuestion, RuleState } from '../../kernel/kernel.ts'
import { isDefaultRule } from '../../kernel/route-way.ts'
import { addressAt, hostPrefix, prefixContains, subnetCount, type Prefix } from '../../net/prefix.ts'
import { addressBits, type Ip } from '../../net/ip.ts'

/**
 * As whom to ask for packets of containers, and whether to: where all packets follow the same rules, the host's own tell enough. Where
 * others have made rules, such as `from` our subnet, only who comes from there, in by the bridge, meets them.
 */
export class ForwardedWay {
  readonly #kernel: Pick<Kernel, 'rules' | 'links' | 'addresses'>
  readonly #own: Prefix
  #rules: readonly RuleState[] = []
  #sender: RouteQuestion['forwarded']

  constructor(kernel: Pick<Kernel, 'rules' | 'links' | 'addresses'>, own: Prefix) {
    this.#kernel = kernel
    this.#own = own
  }

  /** Rules of others, as last seen. */
  get rules(): readonly RuleState[] {
    return this.#rules
  }

  /** Undefined: the host's own packets tell enough, or there is no link of containers. */
  get sender(): RouteQuestion['forwarded'] {
    return this.#sender
  }

  /** Whether a change may make another of what {@link look} sees: the link of the containers gets its address. */
  isAbout(change: KernelChange): boolean {
    return this.#rules.length > 0 && change.kind === 'address' && prefixContains(this.#own, change.address.ip)
  }

  /** @throws {KernelError} */
  async look(signal: AbortSignal): Promise<void> {
    const rules = await this.#kernel.rules(this.#own.family, signal)
    this.#rules = rules.filter((rule) => !isDefaultRule(rule))
    this.#sender = this.#rules.length === 0 ? undefined : await this.#findSender(signal)
  }

  /** By the link that has an address in our subnet, but not the device's own, its base; from an address that nobody has. */
  async #findSender(signal: AbortSignal): Promise<RouteQuestion['forwarded']> {
    const links = await this.#kernel.links(signal)
    const addresses = await this.#kernel.addresses(signal)
    const isUp = (index: number): boolean => links.some((link) => link.index === index && link.up && !link.loopback)
    const inside = addresses.filter(({ ip }) => prefixContains(this.#own, ip))
    const bridge = inside.find(({ ip, linkIndex }) => ip.text !== this.#own.base.text && isUp(linkIndex))
    const taken = new Set(inside.map(({ ip }) => ip.text))
    const source = candidates(this.#own).find(({ text }) => !taken.has(text))
    return bridge && source && { linkIndex: bridge.linkIndex, source }
  }
}

/** Addresses that a container could have, the last ones first. */
function candidates(own: Prefix): readonly Ip[] {
  const size = subnetCount(own, addressBits(own.family))
  if (size < 8n) return [addressAt(own, size - 1n)].filter((address) => hostPrefix(address).text !== own.text)
  return [2n, 3n, 4n, 5n].map((fromEnd) => addressAt(own, size - fromEnd))
}
