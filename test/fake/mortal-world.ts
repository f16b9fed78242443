import type { NodeIdentity } from '../../src/lease/lease.ts'
import { ip, type Ip } from '../../src/net/ip.ts'
import { prefix } from '../../src/net/prefix.ts'
import type { KernelOp, LinkState, OpResult } from '../../src/kernel/kernel.ts'
import { AgentWorld, CONFIG, type Outer } from './agent-world.ts'
import { FakeEtcd, type EtcdSnapshot } from './fake-etcd.ts'
import { FakeKernel } from './fake-kernel.ts'
import { FakeLeaseStore } from './fake-lease-store.ts'
import { files } from './memory-files.ts'

export const DEVICE = 'flannel.100'
export const OUR_ID = 'a'.repeat(32)
const RIVAL: NodeIdentity = { id: 'b'.repeat(32), hostname: 'rival' }
const GRACE_MS = 30_000
let worlds = 0

/** Watches what the agent does to what is not its own. */
class WatchedKernel extends FakeKernel {
  /** Destinations of routes that are somebody else's. */
  readonly foreignRoutes = new Set<string>()
  readonly foreignAddresses = new Set<string>()
  readonly trespasses: KernelOp[] = []

  override apply(ops: readonly KernelOp[], signal: AbortSignal): Promise<readonly OpResult[]> {
    this.trespasses.push(...ops.filter((op) => this.#isTrespass(op)))
    return super.apply(ops, signal)
  }

  #isTrespass(op: KernelOp): boolean {
    if (op.op === 'route.delete' || op.op === 'route.replace') return this.foreignRoutes.has(op.destination.text)
    if (op.op === 'address.delete') return this.foreignAddresses.has(op.ip.text)
    return (op.op === 'link.delete' || op.op === 'link.set') && this.tables.links.get(op.linkIndex)?.kind !== 'vxlan'
  }
}

/** An {@link AgentWorld} without a disk, whose agent may die at any moment, with everything else that may befall it. */
export class MortalWorld extends AgentWorld {
  override readonly kernel: WatchedKernel
  readonly #rivals = new Map<string, AbortController>()
  #isRunning = false
  #life = { over: false }
  #snapshot: EtcdSnapshot | undefined

  private constructor(kernel: WatchedKernel) {
    super(`/memory/${++worlds}`, new FakeEtcd(), kernel)
    this.kernel = kernel
    this.etcd.putConfig(CONFIG)
  }

  static make(): MortalWorld {
    return new MortalWorld(new WatchedKernel({ echo: worlds % 2 === 0 }))
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  async startAgent(): Promise<void> {
    if (this.#isRunning) return
    this.#life = { over: false }
    this.#isRunning = true
    await this.start({ stalePeerGraceMs: GRACE_MS })
  }

  async stopAgent(): Promise<void> {
    if (!this.#isRunning) return
    this.#isRunning = false
    await this.stop()
  }

  /** `kill -9`: no call of it reaches anything any more. */
  kill(): void {
    this.#life.over = true
    this.#isRunning = false
    this.abandon()
  }

  override async close(): Promise<void> {
    for (const stop of this.#rivals.values()) stop.abort()
    await this.stopAgent()
    files.delete(this.subnetFile)
  }

  override async advance(ms: number): Promise<void> {
    await super.advance(ms)
    this.etcd.advance(ms)
    await this.clock.settle()
  }

  protected override get outer(): Outer {
    const life = this.#life
    const { kernel, store, clock } = super.outer
    return {
      kernel: mortal(kernel, life),
      store: mortal(store, life),
      clock: {
        monotonicMs: () => clock.monotonicMs(),
        sleep: (ms, signal) => (life.over ? never() : clock.sleep(ms, signal)),
      },
    }
  }

  /** The subnet file's text. */
  get file(): string | undefined {
    return files.get(this.subnetFile)
  }

  /** Key of the lease that the subnet file speaks of. */
  get ownKey(): string | undefined {
    const [, base, length] = /FLANNEL_SUBNET=([\d.]+)\.1\/(\d+)/.exec(this.file ?? '') ?? []
    return base === undefined ? undefined : `${base}.0-${length ?? ''}`
  }

  get device(): LinkState | undefined {
    return this.#linkNamed(DEVICE)
  }

  get card(): LinkState | undefined {
    return this.#linkNamed('eth0')
  }

  #linkNamed(name: string): LinkState | undefined {
    return [...this.kernel.tables.links.values()].find((link) => link.name === name)
  }

  /** Addresses of the underlay. */
  get cardAddresses(): readonly Ip[] {
    const index = this.card?.index
    return [...this.kernel.tables.addresses.values()].flatMap((a) => (a.linkIndex === index ? [a.ip] : []))
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

  keepSnapshot(): void {
    this.#snapshot = this.etcd.snapshot()
  }

  restoreSnapshot(): void {
    if (this.#snapshot !== undefined) this.etcd.restore(this.#snapshot)
  }

  /** Another node holds a lease with our address; whether it lives is another question. */
  putRival(key: string, lives: boolean): void {
    const publicIp = this.cardAddresses[0]?.text ?? '192.168.205.10'
    if (key === this.ownKey) return
    // what it claims is as old as its key, as the model has it
    if (this.etcd.get(key)?.value.includes(RIVAL.id) === false) this.etcd.delete(key)
    this.etcd.put(key, leaseOf({ publicIp, mac: '02:00:00:00:99:99', node: RIVAL }))
    if (lives) void this.#answer(key)
  }

  async #answer(key: string): Promise<void> {
    this.#rivals.get(key)?.abort()
    const stop = new AbortController()
    this.#rivals.set(key, stop)
    const store = new FakeLeaseStore(this.etcd, this.clock)
    for await (const challenge of store.challenges(key, stop.signal))
      await store.answer(challenge, { ...RIVAL, instance: 'rival' }, stop.signal).catch(() => undefined)
  }

  /** Nobody meddles any more, and everything around the agent is as it should be. */
  endFaults(): void {
    for (const stop of this.#rivals.values()) stop.abort()
    this.kernel.heal()
    this.store.reconnect()
    if (this.etcd.config === undefined) this.etcd.putConfig(CONFIG)
    this.restoreUnderlay()
  }

  restoreUnderlay(): void {
    const linkIndex = (this.card ?? this.kernel.addCard('eth0')).index
    if (this.card?.up === false) this.outside({ op: 'link.set', linkIndex, up: true })
    if (this.cardAddresses.length === 0)
      this.outside({ op: 'address.add', linkIndex, ip: ip('192.168.205.10'), prefixLength: 24 })
    this.outside({
      op: 'route.replace',
      type: 'unicast',
      destination: prefix('0.0.0.0/0'),
      linkIndex,
      metric: 0,
      protocol: 'boot',
    })
  }
}

/** A lease value; upstream's form without `node`. */
export const leaseOf = (fields: {
  readonly publicIp: string
  readonly mac: string
  readonly node?: NodeIdentity
}): string =>
  JSON.stringify({
    PublicIP: fields.publicIp,
    PublicIPv6: null,
    BackendType: 'vxlan',
    BackendData: { VNI: 100, VtepMAC: fields.mac },
    ...(fields.node === undefined ? {} : { Node: { ID: fields.node.id, Hostname: fields.node.hostname } }),
  })

const never = (): Promise<never> => new Promise<never>(() => undefined)

/** The same object for as long as its user lives; after that its methods never answer. */
function mortal<T extends object>(target: T, life: { readonly over: boolean }): T {
  return new Proxy(target, {
    get: (of, name): unknown => {
      const member: unknown = Reflect.get(of, name, of)
      if (typeof member !== 'function') return member
      return (...args: readonly unknown[]): unknown => (life.over ? never() : Reflect.apply(member, of, args))
    },
  })
}
