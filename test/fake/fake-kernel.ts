import type { Family, Ip } from '../../src/net/ip.ts'
import { prefixContains, prefixOf, type Prefix } from '../../src/net/prefix.ts'
import { operationTarget } from '../../src/netlink/codec/operation.ts'
import { ChangeQueue } from '../../src/netlink/change-queue.ts'
import {
  KernelError,
  leadsOver,
  type AddressState,
  type Kernel,
  type KernelChange,
  type KernelErrorCode,
  type KernelOp,
  type KernelRows,
  type KernelTables,
  type LinkState,
  type OpResult,
  type RouteAnswer,
  type RouteLookup,
  type RouteQuestion,
  type RouteState,
  type RuleState,
  type SelectiveRoute,
} from '../../src/kernel/kernel.ts'
import { selectRoutes, type RouteSelection } from '../../src/kernel/route-selection.ts'
import { FakeTun } from './fake-tun.ts'
import { FakeTables, type Refusal } from './fake-tables.ts'

/** Microtasks in which a reader takes and handles one change, at most. */
const TURNS_PER_CHANGE = 8

/** What goes wrong, for as long as it is set. */
export interface Faults {
  /** Refuses operations: the name of the errno, or undefined to let the operation pass. Nothing is changed by a refused one. */
  refuse?: (op: KernelOp) => KernelErrorCode | undefined
  /** Refuses TUN devices, or forwarders on them: the name of the errno. */
  refuseTun?: (op: 'tun.open' | 'udp.bind') => KernelErrorCode | undefined
  /** Whatever is to be changed, the process may not. */
  lacksRights?: boolean
  /** The operation is carried out but its answer is lost: its result is `LOST`. */
  loseAnswer?: (op: KernelOp) => boolean
  /** Notifications vanish; when switched off again with {@link FakeKernel.heal}, the listeners get `overrun`. */
  loseNotifications?: boolean
  /** So many snapshots fail as interrupted too often. */
  interruptSnapshots?: number
  /** Awaited before every call is carried out: hold it to test what happens meanwhile. */
  gate?: () => Promise<void>
}

/** What was asked of the kernel so far. Writes by operation name; `outside` does not count. */
export interface FakeStats {
  readonly writes: number
  readonly byOp: Readonly<Record<string, number>>
  readonly snapshots: number
}

export interface FakeOptions {
  /** Whether a caller hears of its own writes (the real one filters most of them, but not all). Default true. */
  readonly echo?: boolean
}

interface Listener {
  readonly queue: ChangeQueue
  readonly watched: () => readonly number[]
  readonly otherRoutes: () => boolean
  readonly isOfInterest: (destination: Prefix) => boolean
}

/** The {@link Kernel} port in memory. Behaves as the contract suite (test/contract) has seen the real one behave. */
export class FakeKernel implements Kernel {
  faults: Faults = {}
  /** The tables themselves, to read in assertions. */
  readonly tables: FakeTables
  /** TUN devices that were made, the last one last. */
  readonly tuns: FakeTun[] = []
  rulesInForce: readonly RuleState[] = []
  selective: readonly SelectiveRoute[] = []
  /** What rules make of a packet; undefined: it follows the main table. */
  ruled: (question: RouteQuestion) => RouteAnswer | undefined = () => undefined
  /** What was asked of the kernel's routing so far. */
  readonly asked: RouteQuestion[] = []
  readonly #echo: boolean
  readonly #listeners = new Set<Listener>()
  readonly #byOp: Record<string, number> = {}
  #snapshots = 0
  #muted = false
  #closed = false

  constructor(options: FakeOptions = {}) {
    this.#echo = options.echo ?? true
    this.tables = new FakeTables((change, replaces) => {
      this.#publish(change, replaces)
    })
    this.tables.addLink({ name: 'lo', index: 1, loopback: true, mtu: 65_536 })
  }

  /** Somebody else changes the kernel: listeners hear of it, the counters do not. Throws if the kernel would refuse. */
  outside(...ops: readonly KernelOp[]): void {
    for (const op of ops) {
      const refused = this.tables.perform(op, 'others')
      if (refused !== undefined) throw new Error(`outside ${op.op}: ${refused.code} ${refused.message}`)
    }
  }

  /** A plain card, up and with carrier. */
  addCard(name: string, fields: Partial<LinkState> = {}): LinkState {
    return this.tables.addLink({ name, ...fields })
  }

  /** Index of a link by its name. */
  indexOf(name: string): number | undefined {
    return [...this.tables.links.values()].find((link) => link.name === name)?.index
  }

  /** Switches all faults off. Listeners whose notifications were lost now learn that they were. */
  heal(): void {
    const lost = this.faults.loseNotifications === true
    this.faults = {}
    if (lost) this.overrun()
  }

  /** Every listener gets `overrun`. */
  overrun(): void {
    for (const { queue } of this.#listeners) queue.overrun()
  }

  stats(): FakeStats {
    const writes = Object.values(this.#byOp).reduce((sum, count) => sum + count, 0)
    return { writes, byOp: { ...this.#byOp }, snapshots: this.#snapshots }
  }

  /** One of the {@link Faults}. */
  async mayWrite(signal: AbortSignal): Promise<boolean> {
    await this.#enter('rights', signal)
    return this.faults.lacksRights !== true
  }

  async links(signal: AbortSignal): Promise<readonly LinkState[]> {
    await this.#enter('links', signal)
    return [...this.tables.links.values()]
  }

  async link(name: string, signal: AbortSignal): Promise<LinkState | undefined> {
    await this.#enter('link', signal)
    return [...this.tables.links.values()].find((link) => link.name === name)
  }

  async addresses(signal: AbortSignal): Promise<readonly AddressState[]> {
    await this.#enter('addresses', signal)
    return [...this.tables.addresses.values()]
  }

  async routes(family: Family, signal: AbortSignal, selection: RouteSelection = {}): Promise<readonly RouteState[]> {
    await this.#enter('routes', signal)
    const ofFamily = [...this.tables.routes.values()].filter((route) => route.destination.family === family)
    return selectRoutes(ofFamily, selection)
  }

  /** By the main table, whoever sends; {@link FakeKernel.ruled} stands for what rules make of forwarded packets. */
  async answers(questions: readonly RouteQuestion[], signal: AbortSignal): Promise<readonly RouteAnswer[]> {
    await this.#enter('answers', signal)
    this.asked.push(...questions)
    return questions.map((question) => this.ruled(question) ?? answerOf(this.#bestRoute(question.destination)))
  }

  async selectiveRoutes(family: Family, signal: AbortSignal): Promise<readonly SelectiveRoute[]> {
    await this.#enter('routes', signal)
    return this.selective.filter(({ route }) => route.destination.family === family)
  }

  async rules(family: Family, signal: AbortSignal): Promise<readonly RuleState[]> {
    await this.#enter('rules', signal)
    return this.rulesInForce.filter((rule) => rule.family === family)
  }

  /** Somebody else changes the rules. */
  setRules(rules: readonly RuleState[], ruled: FakeKernel['ruled']): void {
    this.rulesInForce = rules
    this.ruled = ruled
    for (const family of [4, 6] as const) this.#publish({ kind: 'rules', family })
  }

  #bestRoute(destination: Ip): RouteState | undefined {
    return [...this.tables.routes.values()]
      .filter((route) => prefixContains(route.destination, destination))
      .sort((a, b) => b.destination.length - a.destination.length || a.metric - b.metric)[0]
  }

  /** Longest prefix, then lowest metric; the source is the leaving link's address next to where the packet goes, else its first. */
  async lookup(destination: Ip, signal: AbortSignal): Promise<RouteLookup | undefined> {
    await this.#enter('lookup', signal)
    const best = this.#bestRoute(destination)
    if (best?.linkIndex === undefined || best.type === 'blackhole') return undefined
    const { linkIndex, gateway } = best
    const addresses = [...this.tables.addresses.values()]
    const own = addresses.filter((a) => a.linkIndex === linkIndex && a.ip.family === destination.family)
    const nextHop = gateway ?? destination
    const source = (own.find((a) => prefixContains(prefixOf(a.ip, a.prefixLength), nextHop)) ?? own[0])?.ip
    return { linkIndex, gateway, source }
  }

  async snapshot(linkIndex: number, families: readonly Family[], signal: AbortSignal): Promise<KernelTables> {
    await this.#enter('snapshot', signal)
    this.#snapshots++
    const interrupts = this.faults.interruptSnapshots ?? 0
    if (interrupts > 0) {
      this.faults.interruptSnapshots = interrupts - 1
      throw new KernelError({
        op: 'snapshot',
        errno: 4,
        code: 'EINTR',
        target: '',
        message: 'dump interrupted too often',
      })
    }
    const { neighbours, fdb, routes } = this.tables
    const own = <T>(table: ReadonlyMap<string, { linkIndex: number; value: T }>): T[] =>
      [...table.values()].filter((entry) => entry.linkIndex === linkIndex).map((entry) => entry.value)
    return {
      neighbours: own(neighbours).filter(({ ip }) => families.includes(ip.family)),
      fdb: own(fdb),
      routes: [...routes.values()].filter(
        (route) => leadsOver(route, linkIndex) && families.includes(route.destination.family),
      ),
    }
  }

  rows(linkIndex: number, families: readonly Family[], signal: AbortSignal): Promise<KernelRows> {
    return this.snapshot(linkIndex, families, signal)
  }

  async apply(ops: readonly KernelOp[], signal: AbortSignal): Promise<readonly OpResult[]> {
    await this.#enter('apply', signal)
    this.#muted = !this.#echo
    const results = ops.map((op) => this.#perform(op))
    this.#muted = false
    await this.catchUp()
    return results
  }

  async openTun(pattern: string, signal: AbortSignal): Promise<FakeTun> {
    await this.#enter('tun.open', signal)
    this.#refuseBy('tun.open', pattern)
    const numbers = Array.from({ length: 1_000 }, (_, number) => pattern.replace('%d', `${number}`))
    const name = numbers.find((one) => this.indexOf(one) === undefined) ?? pattern
    const { index } = this.addCard(name, { kind: 'tun', up: false, carrier: false })
    const close = (): void => {
      if (this.tables.links.has(index)) this.outside({ op: 'link.delete', linkIndex: index })
    }
    const tun = new FakeTun(name, close, () => {
      this.#refuseBy('udp.bind', name)
    })
    this.tuns.push(tun)
    return tun
  }

  #refuseBy(op: 'tun.open' | 'udp.bind', target: string): void {
    const code = this.faults.refuseTun?.(op)
    if (code !== undefined)
      throw new KernelError({ op, errno: 1, code, target, message: `${op} ${target}: refused (${code})` })
  }

  changes(
    watched: () => readonly number[],
    signal: AbortSignal,
    otherRoutes: () => boolean = () => false,
    isOfInterest: (destination: Prefix) => boolean = () => false,
  ): AsyncIterable<KernelChange> {
    const listener = { queue: new ChangeQueue(), watched, otherRoutes, isOfInterest }
    const end = (): void => {
      this.#listeners.delete(listener)
      listener.queue.end()
    }
    this.#listeners.add(listener)
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
    return listener.queue.read(end)
  }

  close(): void {
    this.#closed = true
    for (const { queue } of this.#listeners) queue.end()
    this.#listeners.clear()
  }

  /** Yields once, as a socket would, and again while `faults.gate` holds. */
  async #enter(op: string, signal: AbortSignal): Promise<void> {
    await Promise.resolve()
    await this.faults.gate?.()
    const code = this.#closed ? 'CLOSED' : signal.aborted ? 'ABORTED' : undefined
    if (code !== undefined) throw new KernelError({ op, errno: 0, code, target: '', message: code.toLowerCase() })
  }

  /** Reading takes a few microtasks per change; a reader that does something else in between is not waited for. */
  async catchUp(): Promise<void> {
    for (const { queue } of this.#listeners) {
      if (queue.unread === 0) continue
      for (let turns = TURNS_PER_CHANGE * queue.unread; queue.unread > 0 && turns > 0; turns--) await Promise.resolve()
      for (let turn = 0; turn < TURNS_PER_CHANGE; turn++) await Promise.resolve()
    }
  }

  #perform(op: KernelOp): OpResult {
    this.#byOp[op.op] = (this.#byOp[op.op] ?? 0) + 1
    const code = this.faults.refuse?.(op)
    const refused: Refusal | undefined =
      code === undefined ? this.tables.perform(op) : { code, message: 'refused by a fault' }
    if (refused !== undefined) return failed(op, this.#target(op), refused)
    if (this.faults.loseAnswer?.(op) === true)
      return failed(op, this.#target(op), { code: 'LOST', message: 'answer lost to an overrun' })
    return { ok: true }
  }

  #target(op: KernelOp): string {
    return operationTarget(op, (index) => this.tables.links.get(index)?.name ?? `link ${index}`)
  }

  /** @param replaces another route of the same destination and metric: then it is told whatever link it leads over */
  #publish(change: KernelChange, replaces = false): void {
    if ((this.#muted && isFiltered(change)) || this.faults.loseNotifications === true) return
    for (const { queue, watched, otherRoutes, isOfInterest } of this.#listeners)
      if (replaces || concerns(change, watched())) queue.push(change)
      else if (change.kind === 'route' && isOfInterest(change.route.destination))
        queue.push({ kind: 'foreign-route', destination: change.route.destination })
      else if (change.kind === 'route' && otherRoutes()) queue.push({ kind: 'other-routes' })
  }
}

function answerOf(route: RouteState | undefined): RouteAnswer {
  if (route === undefined) return { is: 'none', code: 'ENETUNREACH' }
  return route.type === 'blackhole' ? { is: 'none', code: 'EINVAL' } : { is: 'route', route }
}

/** What the real one does not report of its own writes: not links and addresses. */
const isFiltered = ({ kind }: KernelChange): boolean => kind === 'neighbour' || kind === 'fdb' || kind === 'route'

/** Links and addresses concern everybody; table entries only who watches their link. */
function concerns(change: KernelChange, watched: readonly number[]): boolean {
  if (change.kind === 'neighbour' || change.kind === 'fdb') return watched.includes(change.linkIndex)
  return change.kind !== 'route' || watched.some((link) => leadsOver(change.route, link))
}

function failed(op: KernelOp, target: string, { code, message }: Refusal): OpResult {
  const errno = code === 'LOST' ? 0 : 1
  return { ok: false, error: new KernelError({ op: op.op, errno, code, target, message }) }
}
