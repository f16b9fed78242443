import { bridgeOf, bridgeProblems, sayBridgeProblem, type Links } from '../../host/container-bridge.ts'
import { isFull, readConntrack } from '../../host/conntrack.ts'
import { isOnFrom, nameOfForwardingFrom, type ForwardingPorts } from '../../host/forwarding.ts'
import { sayVerdict, type ForeignRules, type MixedVariants } from '../../kernel/foreign-rules.ts'
import type { Kernel, KernelChange } from '../../kernel/kernel.ts'
import { prefixContains } from '../../net/prefix.ts'
import type { Clock } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { Conditions } from '../runtime/conditions.ts'
import { isCurable } from '../runtime/retry.ts'
import { isStopped, ROUND_MS, type Task } from '../runtime/task.ts'
import type { OverlayView } from './overlay-view.ts'

export interface OthersTaskInput {
  readonly ports: Pick<ForwardingPorts, 'readSysctl'> & {
    readonly kernel: Pick<Kernel, 'links' | 'addresses'>
    readonly foreignRules: ForeignRules
    readonly clock: Clock
    readonly conditions: Pick<Conditions, 'fails' | 'holds' | 'drop'>
  }
  /** The overlay as it is at the moment. */
  readonly view: () => OverlayView
}

/** Reading everybody's rules is not worth more than once a minute, in milliseconds. */
const EVERY_MS = 60_000
/** While something is wrong, somebody may be mending it. */
const WHILE_WRONG_MS = 10_000
/** Others that reload their rules have none, or half of them, for a moment: what is found must still be so after this. */
const SURE_AFTER_MS = 2_000
/** After the overlay stands, or the bridge has come or gone: whoever did that may not be done. */
const SETTLES_MS = 1_000
/** A look may take one part in this many of the time, where there are very many rules. */
const SHARE = 200

/** What one look has found, by condition: reasons, each with its cure. */
type Findings = ReadonlyMap<string, readonly string[]>

const DROPS = 'drops of others'
const MASQUERADES = 'masquerading of others'
const BRIDGE = 'container bridge'
const VARIANTS = 'variants of iptables'
const CONNECTIONS = 'table of connections'
const ALWAYS = [DROPS, MASQUERADES, BRIDGE, VARIANTS, CONNECTIONS] as const

/**
 * Looks, when the overlay stands, for what others have set up on this host that keeps its packets from containers, and names it with its
 * cure. Nothing of theirs is changed.
 */
export class OthersTask implements Task {
  readonly name = 'what others do to the overlay'
  readonly roundMs = ROUND_MS.programs
  readonly #input: OthersTaskInput
  readonly #bell = new Wakeup()
  #isStanding = false
  #said: ReadonlySet<string> = new Set()

  constructor(input: OthersTaskInput) {
    this.#input = input
  }

  /** The overlay stands: from now on there is something to look for. */
  begin(): void {
    this.#isStanding = true
    this.#bell.ring()
  }

  /** The kernel reports a change: the bridge's address comes with the bridge, and goes with it. */
  observe(change: KernelChange): void {
    if (change.kind !== 'address') return
    const { ip } = change.address
    if (this.#input.view().parts.some(({ subnet }) => prefixContains(subnet, ip))) this.#bell.ring()
  }

  async run({ signal, rest }: Loop): Promise<void> {
    while (!isStopped(signal) && !this.#isStanding) await rest(Infinity, this.#bell)
    while (!isStopped(signal)) {
      await rest(SETTLES_MS)
      const beganMs = this.#input.ports.clock.monotonicMs()
      let found = await this.#look(signal)
      const tookMs = this.#input.ports.clock.monotonicMs() - beganMs
      if (this.#hasNews(found)) {
        await rest(SURE_AFTER_MS)
        found = inBoth(found, await this.#look(signal))
      }
      if (isStopped(signal)) return
      this.#say(found)
      await rest(Math.max(this.#said.size > 0 ? WHILE_WRONG_MS : EVERY_MS, tookMs * SHARE), this.#bell)
    }
  }

  #hasNews(found: Findings): boolean {
    return [...found].some(([what, reasons]) => reasons.length > 0 && !this.#said.has(what))
  }

  /** What could not be read has no entry. */
  async #look(signal: AbortSignal): Promise<Findings> {
    const { kernel, foreignRules } = this.#input.ports
    const { parts, tunnels, entrances } = this.#input.view()
    const found = new Map<string, readonly string[]>()
    if (parts.length === 0 && tunnels.length === 0) return found
    try {
      const all: Links = { links: await kernel.links(signal), addresses: await kernel.addresses(signal) }
      found.set(BRIDGE, distinct(bridgeProblems(parts, all).map(sayBridgeProblem)))
      found.set(CONNECTIONS, await this.#lookAtConnections())
      const bridges = parts.map((part) => bridgeOf(part, all)?.name)
      const bridges4 = bridges.filter((_, at) => parts[at]?.family === 4)
      for (const link of distinct([...bridges4, ...entrances])) await this.#lookAt(link, found)
      const paths = parts.map((part, at) => ({ ...part, bridge: bridges[at] }))
      const verdicts = await foreignRules.judge(paths, tunnels, signal)
      if (verdicts === undefined) return found
      found.set(DROPS, distinct(verdicts.drops.map(sayVerdict)))
      found.set(MASQUERADES, distinct(verdicts.masquerades.map(sayVerdict)))
      found.set(VARIANTS, (verdicts.mixed ?? []).map(sayMixed))
    } catch (error) {
      if (!isStopped(signal) && !isCurable(error)) throw error
    }
    return found
  }

  /** Without numbers, which are others at each look. */
  async #lookAtConnections(): Promise<readonly string[]> {
    const table = await readConntrack(this.#input.ports).catch(() => undefined)
    if (table === undefined || !isFull(table)) return []
    const { most } = table
    return [
      `is full, so that packets of new connections are dropped: net.netfilter.nf_conntrack_count is about nf_conntrack_max, ${most}. ` +
        `Cure: sysctl -w net.netfilter.nf_conntrack_max=${2 * most} on the host, and the same in /etc/sysctl.d`,
    ]
  }

  /** Whether what comes in by an interface of others is passed on. */
  async #lookAt(link: string, found: Map<string, readonly string[]>): Promise<void> {
    const isOn = await isOnFrom(link, this.#input.ports).catch(() => undefined)
    if (isOn === undefined) return
    const name = nameOfForwardingFrom(link)
    const reason = `is 0: what comes in by ${link} is not passed on. Cure: sysctl -w ${name}=1, and the same in /etc/sysctl.d`
    found.set(name, isOn ? [] : [reason])
  }

  #say(found: Findings): void {
    const { conditions } = this.#input.ports
    const said = new Set<string>()
    for (const [what, reasons] of found) {
      if (reasons.length === 0) conditions.holds(what)
      else {
        said.add(what)
        this.#fails(what, reasons.join('; '))
      }
    }
    for (const what of this.#said) {
      if (found.has(what)) continue
      // What could not be read this time is as it was; an interface that is gone has nothing wrong with it.
      if (ALWAYS.some((one) => one === what)) said.add(what)
      else conditions.drop(what)
    }
    this.#said = said
  }

  /** What is judged by rules only degrades; there is no doubt about a setting. */
  #fails(what: string, reason: string): void {
    const { conditions } = this.#input.ports
    if (what === DROPS) conditions.fails('drops of others', reason, 'degraded', { repeats: false })
    else if (what === MASQUERADES) conditions.fails('masquerading of others', reason, 'degraded', { repeats: false })
    else if (what === BRIDGE) conditions.fails('container bridge', reason, 'degraded', { repeats: false })
    else if (what === CONNECTIONS) conditions.fails('table of connections', reason, 'degraded', { repeats: false })
    else if (what === VARIANTS) conditions.fails('variants of iptables', reason, 'none', { repeats: false })
    else conditions.fails(what, reason, 'incomplete', { repeats: false })
  }
}

const sayMixed = ({ family, used, ofNft, ofLegacy }: MixedVariants): string =>
  `${ofNft} rules of IPv${family} stand in iptables-nft and ${ofLegacy} in iptables-legacy: the kernel heeds both, and iptables (${used} here) ` +
  `shows its own only. Cure: have all that write rules use one (update-alternatives --set iptables /usr/sbin/iptables-${used}), start them anew, ` +
  `and empty the other: iptables-${used === 'nft' ? 'legacy' : 'nft'} -F`

const distinct = <T>(items: readonly (T | undefined)[]): readonly T[] =>
  [...new Set(items)].filter((item) => item !== undefined)

/** What both looks have found; what only one of them could read is left out. */
const inBoth = (first: Findings, second: Findings): Findings =>
  new Map(
    [...second].flatMap(([what, reasons]) => {
      const before = first.get(what)
      return before === undefined ? [] : [[what, before.length === 0 ? [] : reasons] as const]
    }),
  )
