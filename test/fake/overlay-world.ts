import type { Clock } from '../../src/time/clock.ts'
import { hostPrefix, prefix, subnetAt } from '../../src/net/prefix.ts'
import { ip, type Family, type Ip } from '../../src/net/ip.ts'
import { mac, type Mac } from '../../src/net/mac.ts'
import type { LinkRows, PeerEntries } from '../../src/reconcile/entries.ts'
import { ROUTE_PROTOCOL } from '../../src/kernel/marks.ts'
import type { RouteProtocol } from '../../src/kernel/words.ts'
import {
  type Kernel,
  type KernelOp,
  type KernelTables,
  type OpResult,
  type RouteState,
} from '../../src/kernel/kernel.ts'
import { Reconciler } from '../../src/reconcile/reconciler.ts'
import type { VxlanDeviceSpec } from '../../src/backend/vxlan/device-spec.ts'
import { ensureDevice } from './ensure-device.ts'
import { FakeKernel } from './fake-kernel.ts'

const NETWORK = prefix('10.0.0.0/8')
const SUBNET_LENGTH = 20

/** Rows on the device for made-up peer `index`; another `variant` is the same peer with a new MAC and PublicIP. */
export function rowsOf(index: number, variant: number): LinkRows {
  const destination = subnetAt(NETWORK, SUBNET_LENGTH, BigInt(index + 1))
  const peerMac = mac(`02:00:00:00:0${variant}:${(index + 16).toString(16)}`)
  return {
    neighbours: [{ ip: destination.base, mac: peerMac }],
    fdb: [{ mac: peerMac, remote: ip(`192.168.${variant}.${index + 1}`) }],
    routes: [{ destination, gateway: destination.base, metric: index + 2, protocol: ROUTE_PROTOCOL, onlink: true }],
  }
}

export const entriesOf = (index: number, variant: number): PeerEntries => onDevice(rowsOf(index, variant))

export const onDevice = (rows: LinkRows): PeerEntries => ({ onDevice: rows, onUnderlay: [] })

/** Lets something happen between the kernel's work and our seeing its answer. */
class RacingKernel extends FakeKernel {
  onApply: (ops: readonly KernelOp[]) => void = () => undefined
  /** Runs once, after the next call that writes or reads tables. */
  meanwhile: (() => void) | undefined

  override async apply(ops: readonly KernelOp[], signal: AbortSignal): Promise<readonly OpResult[]> {
    this.onApply(ops)
    return this.#race(super.apply(ops, signal))
  }

  override async snapshot(index: number, families: readonly Family[], signal: AbortSignal): Promise<KernelTables> {
    return this.#race(super.snapshot(index, families, signal))
  }

  async #race<T>(call: Promise<T>): Promise<T> {
    const result = await call
    const { meanwhile } = this
    this.meanwhile = undefined
    meanwhile?.()
    await settleMicrotasks()
    return result
  }
}

/** How the world's reconciler is made, and what it takes for the kernel: for tests that break a rule. */
export interface Making {
  readonly reconciler: (kernel: Kernel, clock: Clock) => Reconciler
  readonly kernel: (kernel: Kernel) => Kernel
}

const AS_IT_IS: Making = {
  reconciler: (kernel, clock) => new Reconciler(kernel, [4], clock, () => 0.5),
  kernel: (kernel) => kernel,
}

/** A reconciler on a kernel in memory, with everything the world may do to them. */
export class OverlayWorld {
  readonly kernel: RacingKernel
  reconciler: Reconciler
  readonly peers = new Map<string, LinkRows>()
  /** Routes of somebody else on our device, that must survive. */
  readonly foreign = new Set<string>()
  /** Operations that no rule allows, whatever came of them. */
  readonly violations: string[] = []
  /** Rows that somebody else was said to have changed. */
  undone = 0
  readonly #spec: VxlanDeviceSpec
  readonly #making: Making
  /** Whether the reconciler has been told of all peers. */
  #isListed = true
  #nowMs = 0
  #listening = new AbortController()

  private constructor(kernel: RacingKernel, spec: VxlanDeviceSpec, making: Making) {
    this.kernel = kernel
    this.#spec = spec
    this.#making = making
    kernel.onApply = (ops) => {
      this.#judge(ops)
    }
    this.reconciler = this.#makeReconciler()
  }

  static async create(echo: boolean, making: Partial<Making> = {}): Promise<OverlayWorld> {
    const kernel = new RacingKernel({ echo })
    const card = kernel.addCard('eth0')
    const spec: VxlanDeviceSpec = {
      name: 'flannel.1',
      mac: mac('02:00:00:00:00:01'),
      mtu: 1450,
      alias: 'test',
      address: ip('10.255.240.0'),
      formerAddresses: [],
      network: NETWORK,
      vxlan: {
        vni: 1,
        local: ip('192.168.255.1'),
        underlayIndex: card.index,
        port: 8472,
        learning: false,
        gbp: false,
        ttl: 0,
        udpChecksum: false,
      },
    }
    const world = new OverlayWorld(kernel, spec, { ...AS_IT_IS, ...making })
    world.reconciler.allowPruning()
    await world.tend()
    return world
  }

  /** Rules of every write: nothing is erased that a peer needs, and nothing at all before everything is written. */
  #judge(ops: readonly KernelOp[]): void {
    const needed = new Set([...this.peers.values()].flatMap(keysOf))
    const erases = ({ op }: KernelOp): boolean => op.endsWith('.delete')
    for (const op of ops) if (erases(op) && needed.has(keyOf(op))) this.violations.push(`erases ${keyOf(op)}`)
    const firstErasure = ops.findIndex(erases)
    if (firstErasure >= 0 && !ops.slice(firstErasure).every(erases)) this.violations.push('erases before it writes')
  }

  #makeReconciler(): Reconciler {
    const clock: Clock = { monotonicMs: () => this.#nowMs, sleep: () => Promise.resolve() }
    const kernel = this.#making.kernel(this.kernel)
    const reconciler = this.#making.reconciler(kernel, clock)
    this.#listening = new AbortController()
    void listen(kernel, reconciler, this.#listening.signal)
    return reconciler
  }

  get signal(): AbortSignal {
    return new AbortController().signal
  }

  /** The agent's device task: brings the device about and hands it over. */
  async tend(): Promise<void> {
    const device = await ensureDevice(this.kernel, this.#spec, this.signal).catch(() => undefined)
    if (device === undefined) return
    const { link, outcome } = device
    if (outcome === 'created' || outcome === 'recreated') this.foreign.clear()
    if (this.reconciler.linkIndex !== link.index || outcome !== 'unchanged') this.reconciler.attach(link.index)
  }

  async pass(): Promise<number> {
    const report = await this.reconciler.pass(this.signal).catch(() => undefined)
    this.undone += report?.undone ?? 0
    await settleMicrotasks()
    return report === undefined ? 0 : report.written + report.erased + report.failures.length
  }

  /** On the reconciler's clock. */
  get nowMs(): number {
    return this.#nowMs
  }

  advance(ms: number): void {
    this.#nowMs += ms
  }

  /** Does nothing while another peer has the MAC: who comes second is held back before it gets here. */
  setPeer(index: number, variant: number): void {
    const rows = rowsOf(index, variant)
    const { mac: wanted } = first(rows.fdb)
    const isTaken = [...this.peers].some(([peer, { fdb }]) => peer !== String(index) && first(fdb).mac === wanted)
    if (!isTaken) this.#setRows(index, rows)
  }

  #setRows(index: number, rows: LinkRows): void {
    this.peers.set(String(index), rows)
    if (this.#isListed) this.reconciler.setPeer(String(index), onDevice(rows))
  }

  dropPeer(index: number): void {
    this.peers.delete(String(index))
    if (this.#isListed) this.reconciler.setPeer(String(index), undefined)
  }

  /** Two peers exchange their MACs, as after a mix-up: each one's forwarding entry becomes the other's. */
  swapMacs(a: number, b: number): void {
    const [ofA, ofB] = [this.peers.get(String(a)), this.peers.get(String(b))]
    if (a === b || ofA === undefined || ofB === undefined) return
    this.#setRows(a, withMac(ofA, first(ofB.fdb).mac))
    this.#setRows(b, withMac(ofB, first(ofA.fdb).mac))
  }

  /** The agent dies and starts again: it knows its peers from etcd, and nothing of the kernel. */
  async restart(): Promise<void> {
    await this.crash()
    this.list()
  }

  /** The agent dies and starts again, and has not heard from etcd yet. */
  async crash(): Promise<void> {
    this.#listening.abort()
    this.#isListed = false
    this.reconciler = this.#makeReconciler()
    await this.tend()
  }

  /** The first complete list from etcd. */
  list(): void {
    if (this.#isListed) return
    this.#isListed = true
    for (const [peer, rows] of this.peers) this.reconciler.setPeer(peer, onDevice(rows))
    this.reconciler.allowPruning()
  }

  /** Somebody does this to the kernel; what the kernel refuses does not happen. */
  outside(...ops: readonly KernelOp[]): void {
    for (const op of ops)
      try {
        this.kernel.outside(op)
      } catch {
        // the kernel refused: nothing happened
      }
  }

  get linkIndex(): number {
    return this.kernel.indexOf(this.#spec.name) ?? 0
  }

  /** An administrator's route to a host, through our device. */
  addForeignRoute(host: number): void {
    const destination = hostPrefix(ip(`172.16.0.${host}`))
    if (this.linkIndex === 0 || !this.#isUp()) return
    this.outside({
      op: 'route.replace',
      type: 'unicast',
      destination,
      linkIndex: this.linkIndex,
      metric: 7,
      protocol: 'static',
    })
    this.foreign.add(destination.text)
  }

  /** What upstream's flanneld leaves behind: a route without metric, protocol boot. */
  addUpstreamRoute(index: number): void {
    const { destination, gateway } = first(rowsOf(index, 0).routes)
    this.outside({
      op: 'route.replace',
      type: 'unicast',
      destination,
      gateway,
      linkIndex: this.linkIndex,
      metric: 0,
      protocol: 'boot',
      onlink: true,
    })
  }

  /** Somebody adds a route beside a peer's: same destination and metric, another gateway. */
  appendRoute(index: number, protocol: RouteProtocol): void {
    const { destination, metric } = first(rowsOf(index, 0).routes)
    if (this.linkIndex === 0 || !this.#isUp()) return
    const gateway = ip('10.255.255.9')
    const rest = { protocol, scope: 'global', onlink: true, type: 'unicast', table: 'main' } as const
    this.kernel.tables.appendRoute({ ...rest, linkIndex: this.linkIndex, destination, gateway, metric })
  }

  /** Somebody writes a peer's route again, with something that we would not give it, or puts another in its place. */
  alterRoute(index: number, how: 'src' | 'metrics' | 'nexthop' | 'scope' | 'blackhole' | 'elsewhere'): void {
    const { destination, gateway, metric } = first(rowsOf(index, 0).routes)
    const { linkIndex } = this
    if (linkIndex === 0 || !this.#isUp()) return
    const plain = { destination, metric, scope: 'global', type: 'unicast', table: 'main' } as const
    const ours = { ...plain, gateway, linkIndex, protocol: ROUTE_PROTOCOL, onlink: true }
    const others = { ...plain, gateway: undefined, protocol: 'static', onlink: false } as const
    const altered: Record<typeof how, RouteState> = {
      src: { ...ours, extras: ['src'] },
      metrics: { ...ours, extras: ['metrics'] },
      nexthop: { ...ours, furtherHops: [{ linkIndex, gateway: ip('10.255.255.9') }] },
      scope: { ...ours, scope: 'site' },
      blackhole: { ...others, linkIndex: undefined, type: 'blackhole' },
      elsewhere: { ...others, linkIndex: 1 },
    }
    this.kernel.tables.addRoute(altered[how])
  }

  /** The kernel drops the device's IPv4 routes, foreign ones too, without a word. */
  takeDown(): void {
    this.outside({ op: 'link.set', linkIndex: this.linkIndex, up: false })
    this.foreign.clear()
  }

  deleteDevice(): void {
    this.outside({ op: 'link.delete', linkIndex: this.linkIndex })
    this.foreign.clear()
  }

  /** The kernel has something against this peer's route. */
  refuse(peer: number): void {
    const { destination } = first(rowsOf(peer, 0).routes)
    this.kernel.faults.refuse = (op) =>
      op.op === 'route.replace' && op.destination.text === destination.text ? 'ENOMEM' : undefined
  }

  #isUp(): boolean {
    return this.kernel.tables.links.get(this.linkIndex)?.up === true
  }

  /** Everything on our device, as text: what the agent wants, plus what is foreign. */
  actual(): readonly string[] {
    const { neighbours, fdb, routes } = this.kernel.tables
    const onDevice = <T extends { readonly linkIndex: number | undefined }>(rows: Iterable<T>): T[] =>
      [...rows].filter(({ linkIndex }) => linkIndex === this.linkIndex)
    return [
      ...onDevice(neighbours.values()).map(({ value }) => `neighbour ${value.ip.text} ${value.mac ?? ''}`),
      ...onDevice(fdb.values()).map(({ value }) => `fdb ${value.mac} ${text(value.remote)}`),
      ...onDevice(routes.values()).map(
        (route) =>
          `route ${route.destination.text} ${text(route.gateway)} ${route.metric} ${route.protocol}${alterations(route)}`,
      ),
    ].sort()
  }

  expected(): readonly string[] {
    const rows = [...this.peers.values()].flatMap(({ neighbours, fdb, routes }) => [
      ...neighbours.map((row) => `neighbour ${row.ip.text} ${row.mac}`),
      ...fdb.map((row) => `fdb ${row.mac} ${row.remote.text}`),
      ...routes.map((row) => `route ${row.destination.text} ${text(row.gateway)} ${row.metric} 70`),
    ])
    const foreign = [...this.foreign].map((destination) => `route ${destination} - 7 static`)
    return [...rows, ...foreign].sort()
  }

  /** All faults over: the agent looks at everything and retries until nothing is left to do. */
  async settle(): Promise<void> {
    this.kernel.heal()
    this.kernel.meanwhile = undefined
    this.list()
    for (let round = 0; round < 12; round++) {
      await settleMicrotasks()
      await this.tend()
      this.advance(120_000)
      if ((await this.pass()) === 0 && this.reconciler.pending === 0) return
    }
  }

  close(): void {
    this.#listening.abort()
    this.kernel.close()
  }
}

/** What a route of ours would not say. */
const alterations = ({ gateway, scope, extras = [], furtherHops = [] }: RouteState): string =>
  [...extras, ...furtherHops.map(() => 'nexthop'), ...(gateway !== undefined && scope !== 'global' ? ['scope'] : [])]
    .map((alteration) => ` ${alteration}`)
    .join('')

const withMac = (rows: LinkRows, other: Mac): LinkRows => ({
  ...rows,
  neighbours: rows.neighbours.map((row) => ({ ...row, mac: other })),
  fdb: rows.fdb.map((row) => ({ ...row, mac: other })),
})

const keysOf = ({ neighbours, fdb, routes }: LinkRows): readonly string[] => [
  ...neighbours.map((row) => `neighbour ${row.ip.text}`),
  ...fdb.map((row) => `fdb ${row.mac}`),
  ...routes.map((row) => `route ${row.destination.text} ${text(row.gateway)} ${row.metric} ${row.protocol}`),
]

/** The row an operation is about, as {@link keysOf} names it. */
function keyOf(op: KernelOp): string {
  if (op.op === 'neighbour.delete') return `neighbour ${op.ip.text}`
  if (op.op === 'fdb.delete') return `fdb ${op.mac}`
  if (op.op !== 'route.delete') return op.op
  return `route ${op.destination.text} ${text(op.gateway)} ${op.metric} ${op.protocol}`
}

const text = (address: Ip | undefined): string => address?.text ?? '-'

export function first<T>(items: readonly T[]): T {
  const [item] = items
  if (item === undefined) throw new Error('nothing there')
  return item
}

async function listen(kernel: Kernel, reconciler: Reconciler, signal: AbortSignal): Promise<void> {
  for await (const change of kernel.changes(() => reconciler.watchedLinks, signal)) reconciler.observe(change)
}

async function settleMicrotasks(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}
