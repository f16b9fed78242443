import {
  KernelError,
  type AddressState,
  type Kernel,
  type KernelChange,
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
} from '../kernel/kernel.ts'
import type { RouteSelection } from '../kernel/route-selection.ts'
import type { Forwarder, TunDevice } from '../kernel/tun.ts'
import { familyOfOwnDevice } from '../kernel/marks.ts'
import type { Family, Ip } from '../net/ip.ts'
import type { Journal } from './journal.ts'
import { PlannedTables } from './planned-tables.ts'
import type { Activity } from './stillness.ts'

const UNKNOWN: RouteAnswer = { is: 'none', code: 'ENETUNREACH' }

const NO_TRAFFIC = { packets: 0, octets: 0 }

/** Nothing passes through a device that is only planned. */
const IDLE_FORWARDER: Forwarder = {
  setPeers: () => undefined,
  setMtu: () => undefined,
  counts: () => ({ sent: NO_TRAFFIC, received: NO_TRAFFIC, drops: {}, peers: [] }),
  failure: () => undefined,
  stop: () => undefined,
}

/** A TUN device of the agent that runs: it is gone before another one starts. */
const goesWithAgent = (link: LinkState): boolean => link.kind === 'tun' && familyOfOwnDevice(link) !== undefined

/** Reads the kernel once, at the first question, and never writes: it notes what is to be written, and answers as if it had been. */
export class PlannedKernel implements Kernel {
  readonly #kernel: Kernel
  readonly #journal: Journal
  readonly #activity: Activity
  #tables: Promise<PlannedTables> | undefined

  /** @param kernel is only read */
  constructor(kernel: Kernel, journal: Journal, activity: Activity) {
    this.#kernel = kernel
    this.#journal = journal
    this.#activity = activity
  }

  /** Nothing is written that could be refused for that. */
  mayWrite(): Promise<boolean> {
    return Promise.resolve(true)
  }

  async links(signal: AbortSignal): Promise<readonly LinkState[]> {
    return (await this.#read(signal)).links
  }

  async link(name: string, signal: AbortSignal): Promise<LinkState | undefined> {
    return (await this.links(signal)).find((link) => link.name === name || link.altNames?.includes(name) === true)
  }

  async addresses(signal: AbortSignal): Promise<readonly AddressState[]> {
    return (await this.#read(signal)).addresses
  }

  async routes(family: Family, signal: AbortSignal, selection?: RouteSelection): Promise<readonly RouteState[]> {
    return (await this.#read(signal)).routes(family, selection)
  }

  lookup(destination: Ip, signal: AbortSignal): Promise<RouteLookup | undefined> {
    return this.#activity.during(this.#kernel.lookup(destination, signal))
  }

  /** The kernel is asked of nothing that hangs on what is only planned. */
  async answers(questions: readonly RouteQuestion[], signal: AbortSignal): Promise<readonly RouteAnswer[]> {
    const tables = await this.#read(signal)
    const planned = questions.map(({ destination }) => tables.plannedRouteTo(destination))
    const isAsked = (_: unknown, at: number): boolean => planned[at] === undefined
    const asked = await this.#activity.during(this.#kernel.answers(questions.filter(isAsked), signal))
    const answers = asked[Symbol.iterator]()
    return planned.map((route) => (route === undefined ? (answers.next().value ?? UNKNOWN) : { is: 'route', route }))
  }

  selectiveRoutes(family: Family, signal: AbortSignal): Promise<readonly SelectiveRoute[]> {
    return this.#activity.during(this.#kernel.selectiveRoutes(family, signal))
  }

  rules(family: Family, signal: AbortSignal): Promise<readonly RuleState[]> {
    return this.#activity.during(this.#kernel.rules(family, signal))
  }

  async snapshot(linkIndex: number, families: readonly Family[], signal: AbortSignal): Promise<KernelTables> {
    const tables = await this.#read(signal)
    if (tables.isUnread(linkIndex)) await this.#readRows(tables, linkIndex, signal)
    return tables.snapshot(linkIndex, families)
  }

  rows(linkIndex: number, families: readonly Family[], signal: AbortSignal): Promise<KernelRows> {
    return this.snapshot(linkIndex, families, signal)
  }

  async apply(ops: readonly KernelOp[], signal: AbortSignal): Promise<readonly OpResult[]> {
    const tables = await this.#read(signal)
    for (const index of new Set(ops.flatMap((op) => ('linkIndex' in op && op.linkIndex) || [])))
      if (tables.isUnread(index)) await this.#readRows(tables, index, signal)
    return ops.map((op) => this.#perform(tables, op))
  }

  async openTun(pattern: string, signal: AbortSignal): Promise<TunDevice> {
    const name = (await this.#read(signal)).addTun(pattern)
    this.#journal.add({ on: 'tun', link: name })
    return { name, forward: () => IDLE_FORWARDER, close: () => undefined }
  }

  catchUp(): Promise<void> {
    return Promise.resolve()
  }

  /** A plan is made for one moment: nothing changes in it. */
  async *changes(
    _watched: () => readonly number[],
    signal: AbortSignal,
  ): AsyncGenerator<KernelChange, void, undefined> {
    await aborted(signal)
  }

  close(): void {
    this.#kernel.close()
  }

  #read(signal: AbortSignal): Promise<PlannedTables> {
    this.#tables ??= this.#activity.during(this.#readAll(signal)).catch((error: unknown) => {
      this.#tables = undefined
      throw error
    })
    return this.#tables
  }

  async #readAll(signal: AbortSignal): Promise<PlannedTables> {
    const kernel = this.#kernel
    const [links, addresses] = [await kernel.links(signal), await kernel.addresses(signal)]
    const [ipv4, ipv6] = [await kernel.routes(4, signal), await kernel.routes(6, signal)]
    const isIpv6 = ({ destination }: RouteState): boolean => destination.family === 6
    const tables = new PlannedTables(links, addresses, [...ipv4, ...ipv6.filter(isIpv6)]) // without IPv6 a kernel may answer with all it has
    for (const link of links.filter(goesWithAgent)) tables.perform({ op: 'link.delete', linkIndex: link.index })
    return tables
  }

  /** Of a link that is no vxlan there are neighbours alone; whoever asks for its tables wants none of them. */
  async #readRows(tables: PlannedTables, linkIndex: number, signal: AbortSignal): Promise<void> {
    if (tables.link(linkIndex)?.vxlan === undefined) return
    tables.readRows(linkIndex, await this.#activity.during(this.#kernel.snapshot(linkIndex, [4, 6], signal)))
  }

  #perform(tables: PlannedTables, op: KernelOp): OpResult {
    const nameOf = (index: number | undefined): string | undefined =>
      index === undefined ? undefined : tables.link(index)?.name
    const link = op.op === 'link.create' ? op.spec.name : nameOf(op.linkIndex)
    const over = op.op === 'link.create' ? nameOf(op.spec.vxlan.underlayIndex) : undefined
    const code = tables.perform(op)
    if (code !== undefined) {
      const fields = { op: op.op, errno: 1, code, target: link ?? '' }
      return { ok: false, error: new KernelError({ ...fields, message: `the kernel would refuse it (${code})` }) }
    }
    this.#journal.add({ on: 'kernel', op, link, over })
    return { ok: true }
  }
}

export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else
      signal.addEventListener(
        'abort',
        () => {
          resolve()
        },
        { once: true },
      )
  })
