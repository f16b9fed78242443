import type { Backend } from '../../backend/backend.ts'
import type { DeviceKeeper } from '../../backend/device-keeper.ts'
import type { ReachablePeer } from '../../backend/judge.ts'
import type { KernelChange, RouteAnswer, RouteQuestion, RouteState } from '../../kernel/kernel.ts'
import { ROUTE_PROTOCOL } from '../../kernel/marks.ts'
import { isOursMissing, isRightWay, type RightLinks } from '../../kernel/route-way.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import type { Family, Ip } from '../../net/ip.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { Reconciler } from '../../reconcile/reconciler.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { AgentPorts } from '../runtime/ports.ts'
import { isCurable } from '../runtime/retry.ts'
import { isStopped, ROUND_MS, type Task, type TaskContext } from '../runtime/task.ts'
import { ForwardedWay } from './forwarded-way.ts'
import { isAboutPeers, RouteQuestions, type AskedPeer } from './route-questions.ts'
import { WinningRoutes } from './winning-routes.ts'

export interface RouteCheckInput {
  readonly ports: Pick<AgentPorts, 'kernel' | 'clock' | 'conditions'>
  readonly backend: Pick<Backend, 'own' | 'hasOneRoute'>
  readonly reconciler: Pick<Reconciler, 'linkIndex' | 'watchedLinks' | 'pending' | 'pendingPeers'>
  /** Undefined: there is none. */
  readonly device: Pick<DeviceKeeper, 'name'> | undefined
  /** Has the tables read again, which do not hold what is believed of them. */
  readonly readAgain: () => void
}

/** Peers asked about in one go. */
const AT_ONCE = 128
/** Between two goes, in milliseconds: ten thousand peers take eight seconds, and few per cent of a processor. */
const APART_MS = 100
/** A new peer is asked about when its entries have had the time to be made, in milliseconds. */
const SETTLE_MS = 1_000
/** While more rows than these are to be made, as in a start, that comes first; but this long at most, in milliseconds. */
const MOST_PENDING = 1_000
const MOST_PUT_OFF_MS = 30_000
/** Who is not reached as we want is asked about again after this long, in milliseconds: named is what has lasted. */
const CONFIRM_MS = 1_000
/** What is named is asked about again this often, in milliseconds, since routes go with their links without a word; rarer where it is much. */
const AGAIN_MS = 5_000
const AGAIN_MS_EACH = 10
/** Behind whatever is reported, all are asked about this often, in milliseconds. */
const PERIODIC_MS = 600_000
/** Where reports are lost again and again, not all can be asked about each time, in milliseconds. */
const AFTER_LOSS_MS = 60_000
/** Routes for some packets only are looked for in the whole table, this often at most, in milliseconds. */
const SELECTIVE_MS = 60_000
/** Tables that do not hold what we believe are read again, this often at most, in milliseconds. */
const READ_AGAIN_MS = 10_000

/**
 * Asks the kernel which way packets to each peer would take, the host's own and, where rules tell them apart, those of containers: routes
 * and rules of others may win over ours, and we would not see it in our own tables. It changes nothing, and names what wins.
 */
export class RouteCheckTask implements Task {
  readonly name: string
  readonly roundMs = ROUND_MS.kernel
  readonly #input: RouteCheckInput
  readonly #questions = new RouteQuestions()
  readonly #forwarded: ForwardedWay
  readonly #winning: WinningRoutes
  readonly #bell = new Wakeup()
  /** Found not to be reached as they should be, and to be asked about once more before it is said. */
  readonly #suspects = new Set<string>()
  #underlayIndex: number | undefined
  #allDueMs = Number.POSITIVE_INFINITY
  #allAskedMs = 0
  #selectiveDueMs = Number.POSITIVE_INFINITY
  #selectiveMs = Number.NEGATIVE_INFINITY
  #readAgainMs = Number.NEGATIVE_INFINITY

  constructor(input: RouteCheckInput) {
    const { ports, backend } = input
    const { own } = backend
    this.#input = input
    this.name = `IPv${own.overlay.family} routes to peers`
    this.#forwarded = new ForwardedWay(ports.kernel, own.subnet)
    this.#winning = new WinningRoutes(input)
  }

  setPeer(key: string, peer: ReachablePeer | undefined): void {
    this.#suspects.delete(key)
    if (peer === undefined) this.#winning.drop(key)
    this.#questions.setPeer(key, peer, this.#nowMs + SETTLE_MS)
  }

  /** Where peers are on the underlay. */
  publicIps(): Iterable<Ip> {
    return this.#questions.publicIps()
  }

  /** All that is to be set for now has been set. */
  wake(): void {
    this.#bell.ring()
  }

  /** The underlay, and the main table's routes of the family, as they were looked at. */
  follow({ link }: Underlay, routes: readonly RouteState[]): void {
    this.#underlayIndex = link.index
    const foreign = routes.filter((route) => this.#isForeign(route))
    this.#questions.list(
      foreign.map(({ destination }) => destination),
      this.#nowMs,
    )
    this.#bell.ring()
  }

  /** Whether changes of routes to there are to be reported. */
  isOfInterest(destination: Prefix): boolean {
    const { overlay, subnet } = this.#input.backend.own
    return isAboutPeers(destination, overlay.network, subnet)
  }

  #isForeign({ destination, protocol, linkIndex }: RouteState): boolean {
    const { overlay } = this.#input.backend.own
    const isOurs =
      protocol === ROUTE_PROTOCOL && linkIndex !== undefined && this.#input.reconciler.watchedLinks.includes(linkIndex)
    return !isOurs && destination.length >= overlay.network.length && this.isOfInterest(destination)
  }

  observe(change: KernelChange): void {
    if (change.kind === 'foreign-route') this.#report(change.destination)
    else if (change.kind === 'route' && change.route.protocol !== ROUTE_PROTOCOL) this.#report(change.route.destination)
    else if (change.kind === 'rules' && change.family === this.#family) this.#lookAgain(this.#nowMs)
    else if (change.kind === 'overrun') this.#lookAgain(Math.max(this.#nowMs, this.#allAskedMs + AFTER_LOSS_MS))
    else if (this.#forwarded.isAbout(change)) this.#lookAgain(this.#nowMs)
  }

  #report(destination: Prefix): void {
    if (destination.family !== this.#family || !this.isOfInterest(destination)) return
    this.#questions.report(destination, this.#nowMs)
    this.#selectiveDueMs = Math.max(this.#nowMs, this.#selectiveMs + SELECTIVE_MS)
    this.#bell.ring()
  }

  /** Looks at the rules again, and asks about all. */
  #lookAgain(dueMs: number): void {
    this.#allDueMs = Math.min(this.#allDueMs, dueMs)
    this.#bell.ring()
  }

  get #nowMs(): number {
    return this.#input.ports.clock.monotonicMs()
  }

  async run({ signal, rest }: TaskContext): Promise<void> {
    const { conditions } = this.#input.ports
    const untilMs = this.#nowMs + MOST_PUT_OFF_MS
    do {
      this.#allAskedMs = this.#nowMs
      this.#allDueMs = this.#nowMs + SETTLE_MS
      if (this.#isMuchPending()) await rest(SETTLE_MS)
    } while (!isStopped(signal) && this.#isMuchPending() && this.#nowMs < untilMs)
    while (!isStopped(signal)) {
      try {
        await this.#round(signal)
        conditions.holds(askingFor(this.#family))
      } catch (error) {
        if (signal.aborted || !isCurable(error)) throw error
        conditions.fails(askingFor(this.#family), error, 'none')
        await rest(CONFIRM_MS)
      }
      if (!isStopped(signal)) await rest(this.#nextInMs(), this.#bell)
      if (!isStopped(signal)) await rest(APART_MS)
    }
  }

  #isMuchPending(): boolean {
    return this.#input.reconciler.pending > MOST_PENDING
  }

  get #family(): Family {
    return this.#input.backend.own.overlay.family
  }

  #nextInMs(): number {
    const askMs = Math.min(this.#allDueMs, this.#allAskedMs + PERIODIC_MS, this.#questions.nextMs() ?? Infinity)
    const dueMs = Math.min(askMs, this.#selectiveDueMs)
    return Math.max(0, dueMs - this.#nowMs)
  }

  async #round(signal: AbortSignal): Promise<void> {
    if (this.#nowMs >= Math.min(this.#allDueMs, this.#allAskedMs + PERIODIC_MS)) {
      this.#allDueMs = Number.POSITIVE_INFINITY
      await this.#forwarded.look(signal)
      this.#allAskedMs = this.#nowMs
      this.#questions.askAll(this.#nowMs)
      this.#selectiveDueMs = this.#nowMs
    }
    if (this.#nowMs >= this.#selectiveDueMs) await this.#lookForSelective(signal)
    const keys = this.#questions.take(AT_ONCE, this.#nowMs)
    try {
      await this.#ask(keys, signal)
    } catch (error) {
      for (const key of keys) this.#questions.ask(key, this.#nowMs)
      throw error
    }
  }

  /** The kernel is asked for packets without a type of service: what only others follow does not win there. */
  async #lookForSelective(signal: AbortSignal): Promise<void> {
    const found = await this.#input.ports.kernel.selectiveRoutes(this.#family, signal)
    this.#selectiveDueMs = Number.POSITIVE_INFINITY
    this.#selectiveMs = this.#nowMs
    this.#winning.noteSelective(found.filter(({ route }) => this.isOfInterest(route.destination)))
  }

  async #ask(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const asked = keys.flatMap((key) => {
      const peer = this.#questions.peer(key)
      return peer === undefined ? [] : this.#questionsAbout(peer).map((question) => ({ key, peer, question }))
    })
    const { kernel } = this.#input.ports
    const answers = await kernel.answers(
      asked.map(({ question }) => question),
      signal,
    )
    const wrong = new Map<string, { readonly question: RouteQuestion; readonly answer: RouteAnswer }>()
    for (const [at, { key, peer, question }] of asked.entries()) {
      const answer = answers[at]
      if (answer !== undefined && !wrong.has(key) && !isRightWay(answer, peer, this.#rightLinks))
        wrong.set(key, { question, answer })
    }
    await this.#winning.settle(signal, () => {
      const pending = this.#pendingAmong(wrong)
      for (const key of keys) this.#judge(key, wrong.get(key), pending)
    })
  }

  #questionsAbout(peer: AskedPeer): readonly RouteQuestion[] {
    const own = this.#questions.addressesOf(peer).map((destination): RouteQuestion => ({ destination }))
    const { sender: forwarded } = this.#forwarded
    return forwarded === undefined ? own : [...own, ...own.map(({ destination }) => ({ destination, forwarded }))]
  }

  get #rightLinks(): RightLinks {
    const { reconciler, backend } = this.#input
    const oneRoute = backend.hasOneRoute ? backend.own.overlay.network : undefined
    return { device: reconciler.linkIndex, underlay: this.#underlayIndex, oneRoute }
  }

  /** Which of these peers have entries that are not as they should be, which is said elsewhere. */
  #pendingAmong(keys: ReadonlyMap<string, unknown>): ReadonlySet<string> {
    const pending = new Set<string>()
    if (keys.size === 0) return pending
    for (const peer of this.#input.reconciler.pendingPeers()) if (keys.has(peer)) pending.add(peer)
    return pending
  }

  #judge(
    key: string,
    wrong: { readonly question: RouteQuestion; readonly answer: RouteAnswer } | undefined,
    pending: ReadonlySet<string>,
  ): void {
    const peer = this.#questions.peer(key)
    if (peer === undefined) return
    const isMissing = wrong !== undefined && isOursMissing(wrong.answer, peer, this.#forwarded.rules, this.#rightLinks)
    if (isMissing) this.#readTablesAgain()
    if (wrong === undefined || this.#isExplained(key, isMissing, pending)) {
      this.#suspects.delete(key)
      this.#winning.drop(key)
      if (wrong !== undefined) this.#questions.ask(key, this.#nowMs + AGAIN_MS)
      return
    }
    if (this.#suspects.has(key) || this.#winning.has(key)) {
      this.#winning.note(key, { peer, ...wrong, rules: this.#forwarded.rules })
      this.#suspects.delete(key)
      this.#questions.ask(key, this.#nowMs + Math.max(AGAIN_MS, AGAIN_MS_EACH * this.#winning.size))
      return
    }
    this.#suspects.add(key)
    this.#questions.ask(key, this.#nowMs + CONFIRM_MS)
  }

  /**
   * Whether it is said elsewhere why packets go another way. The one route of all peers is no peer's entry: as long as it is not there, they
   * follow a wider one, and nobody is to remove that.
   */
  #isExplained(key: string, isMissing: boolean, pending: ReadonlySet<string>): boolean {
    const { reconciler, backend } = this.#input
    return pending.has(key) || reconciler.watchedLinks.length === 0 || (backend.hasOneRoute && isMissing)
  }

  /** A route of ours is not where we believe it to be. */
  #readTablesAgain(): void {
    if (this.#nowMs < this.#readAgainMs) return
    this.#readAgainMs = this.#nowMs + READ_AGAIN_MS
    this.#input.readAgain()
  }
}

const askingFor = (family: Family): string => `asking for routes of IPv${family}`
