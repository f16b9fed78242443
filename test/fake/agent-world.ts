import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AgentCounts } from '../../src/counts/agent-counts.ts'
import { Agent } from '../../src/agent/agent.ts'
import type { AgentPorts } from '../../src/agent/runtime/ports.ts'
import type { LiveAgent, ReachView } from '../../src/agent/status/live-agent.ts'
import { Conditions } from '../../src/agent/runtime/conditions.ts'
import { PeerReaches } from '../../src/probe/peer-reaches.ts'
import { AgentStatus } from '../../src/agent/runtime/status.ts'
import { runTask } from '../../src/agent/runtime/task.ts'
import type { DaemonOptions } from '../../src/config/options.ts'
import { EtcdSubnetManager } from '../../src/etcd/subnets/etcd-subnet-manager.ts'
import { deriveCopyId, deriveVtepMac } from '../../src/host/identity.ts'
import type { NodeIdentity } from '../../src/lease/lease.ts'
import type { NeighbourTable } from '../../src/kernel/neighbour-table.ts'
import { ip, type Ip } from '../../src/net/ip.ts'
import { prefix } from '../../src/net/prefix.ts'
import { EventRing } from '../../src/observe/event-ring.ts'
import type { Logger } from '../../src/observe/logger.ts'
import { EVENTS_KEPT } from '../../src/status/document.ts'
import type { Clock } from '../../src/time/clock.ts'
import { FORWARDING, type ConditionName } from './condition-names.ts'
import { FakeClock } from './fake-clock.ts'
import { runtime } from './runtime.ts'
import { FakeEtcd } from './fake-etcd.ts'
import { FakeFirewall } from './fake-firewall.ts'
import { FakeForeignRules } from './fake-foreign-rules.ts'
import { FakeIcmp } from './fake-icmp.ts'
import { FakeKernel } from './fake-kernel.ts'
import { FakeSettings } from './fake-settings.ts'
import { FakePeerFilter } from './fake-peer-filter.ts'
import { FakeLeaseStore } from './fake-lease-store.ts'
import { NO_CHOICE } from './samples.ts'

export const CONFIG = '{"Network":"10.0.0.0/8","SubnetLen":20,"Backend":{"Type":"vxlan","VNI":100}}'

/** Value of a peer's lease as upstream writes it; `octet` tells peers apart. */
export const upstreamLease = (octet: number): string =>
  JSON.stringify({
    PublicIP: `192.168.205.${octet}`,
    PublicIPv6: null,
    BackendType: 'vxlan',
    BackendData: { VNI: 100, VtepMAC: `02:00:00:00:00:${octet.toString(16).padStart(2, '0')}` },
  })

/** For what takes real time, such as writing a file. */
const REAL_DEADLINE_MS = 5_000

const HOST1: NodeIdentity = { id: 'a'.repeat(32), hostname: 'host1' }
/** Wall-clock time at which the agent's own clock shows 0, in milliseconds. */
export const WALL_MS = Date.UTC(2030, 0, 1)
/** Without a class, so that a test can put something else in the place of a part. */
const asReachView = (reaches: AgentPorts['reaches']): ReachView => ({
  ...{ isOn: reaches.isOn, why: reaches.why },
  reach: (key, family) => reaches.reach(key, family),
  counts: () => reaches.counts(),
  totals: () => reaches.totals(),
  askNow: (keys, signal) => reaches.askNow(keys, signal),
})

/** Of all agents of this test run. */
let starts = 0

/** What lies outside an agent, and may be cut off from it. */
export interface Outer {
  readonly kernel: FakeKernel
  readonly store: FakeLeaseStore
  readonly clock: Clock
}

/** A whole agent on a kernel, an etcd and a clock in memory. */
export class AgentWorld {
  readonly clock = new FakeClock()
  readonly kernel: FakeKernel
  readonly firewall = new FakeFirewall()
  readonly peerFilter = new FakePeerFilter()
  readonly icmp = new FakeIcmp(this.clock)
  readonly foreignRules = new FakeForeignRules()
  readonly etcd: FakeEtcd
  readonly store: FakeLeaseStore
  /** Everything logged: `level message key=value …`. */
  readonly log: string[] = []
  readonly subnetFile: string
  /** Kernel settings by path: those of a host that forwards, and what was made so. */
  readonly sysctls = new FakeSettings((name) => this.kernel.indexOf(name) !== undefined)
  readonly #heldSettings = new Map<string, Promise<void>>()
  resolvers: readonly Ip[] = []
  /** As the kernel tells them; none: it does not tell. */
  neighbourTables: readonly NeighbourTable[] = []
  counts = new AgentCounts()
  /** What was logged at `info` and above. */
  readonly events = new EventRing(EVENTS_KEPT, () => WALL_MS + this.clock.monotonicMs())
  conditions = this.#makeConditions()
  reaches = new PeerReaches(this.clock)
  status = new AgentStatus(this)
  readonly #directory: string
  #ports: AgentPorts | undefined
  #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  /** What the agent failed with by itself. */
  #failure: unknown

  protected constructor(directory: string, etcd: FakeEtcd, kernel = new FakeKernel()) {
    this.#directory = directory
    this.kernel = kernel
    this.subnetFile = join(directory, 'flannel/subnet.env')
    this.etcd = etcd
    this.store = new FakeLeaseStore(etcd, this.clock)
    const card = this.kernel.addCard('eth0')
    this.kernel.outside({ op: 'address.add', linkIndex: card.index, ip: ip('192.168.205.10'), prefixLength: 24 })
    this.kernel.outside({
      op: 'route.replace',
      type: 'unicast',
      destination: prefix('0.0.0.0/0'),
      linkIndex: card.index,
      metric: 0,
      protocol: 'boot',
    })
  }

  static async create(etcd = new FakeEtcd()): Promise<AgentWorld> {
    return new AgentWorld(await mkdtemp(join(tmpdir(), 'agent-world-')), etcd)
  }

  /** Starts the agent. */
  async start(options: Partial<DaemonOptions> = {}, node = HOST1): Promise<void> {
    this.#stop = new AbortController()
    this.counts = new AgentCounts()
    this.conditions = this.#makeConditions()
    this.status = new AgentStatus(this)
    const all = { ...this.options(), ...options }
    const agent = new Agent(all, (this.#ports = this.makePorts(node, all)))
    const running = runTask(agent, runtime(this.clock, this.#stop.signal, this.status.watchdog))
    this.#running = running
    running.catch((cause: unknown) => {
      if (this.#running === running) this.#failure = cause
    })
    await this.clock.settle()
  }

  get failure(): unknown {
    return this.#failure
  }

  /** Drops the agent: whatever it still wanted to do does not happen, and nobody waits for it. */
  protected abandon(): void {
    this.#stop.abort()
    this.#running = Promise.resolve()
  }

  /** @throws whatever the agent failed with */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async close(): Promise<void> {
    await this.stop()
    await rm(this.#directory, { recursive: true })
  }

  /** Lets time pass, and what follows from it happen. */
  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms)
    await this.clock.settle()
  }

  /** Whoever changes this setting waits. @returns lets them go on */
  holdSetting(path: string): () => void {
    let letGo: () => void = () => undefined
    this.#heldSettings.set(path, new Promise((resolve) => (letGo = resolve)))
    return letGo
  }

  /** Waits for a condition while no time passes on the agent's clock; files are written behind that clock's back. */
  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + REAL_DEADLINE_MS
    while (!(await condition())) {
      if (performance.now() > deadlineMs) throw new Error(`not ${what}; log:\n${this.log.join('\n')}`)
      await sleep(1)
    }
  }

  readSubnetFile(): Promise<string | undefined> {
    return readFile(this.subnetFile, 'utf8').catch(() => undefined)
  }

  /** Whether a condition of the agent fails, for a reason like this. */
  fails(what: ConditionName, reason = /^/): boolean {
    return this.conditions.all().some((one) => one.what === what && reason.test(one.reason))
  }

  holds(what: ConditionName): boolean {
    return !this.fails(what)
  }

  /** Whether the overlay of every family has been complete since there is this lease. */
  forwards(): boolean {
    return FORWARDING.every((what) => this.holds(what))
  }

  /** That of the lease held: `10.1.16.0/20`. */
  get subnet(): string | undefined {
    const { subnet } = this.status.readiness().body
    return typeof subnet === 'string' ? subnet : undefined
  }

  /** Lines of the log like this: for what somebody who reads it sees. What state the agent is in, ask the agent. */
  logged(pattern: RegExp): readonly string[] {
    return this.log.filter((line) => pattern.test(line))
  }

  /** Rows of the overlay device, per table. */
  rows(): { readonly neighbours: number; readonly fdb: number; readonly routes: number } {
    const index = this.kernel.indexOf('flannel.100')
    const { neighbours, fdb, routes } = this.kernel.tables
    const count = (rows: Iterable<{ readonly linkIndex: number | undefined }>): number =>
      [...rows].filter(({ linkIndex }) => linkIndex === index).length
    return { neighbours: count(neighbours.values()), fdb: count(fdb.values()), routes: count(routes.values()) }
  }

  options(): DaemonOptions {
    return {
      etcd: {
        endpoints: ['http://192.168.205.2:2379'],
        prefix: '/coreos.com/network',
        certFile: undefined,
        keyFile: undefined,
        caFile: undefined,
        username: undefined,
        password: undefined,
      },
      ...NO_CHOICE,
      ipMasq: false,
      ipMasqRandomFully: true,
      ipBlackholeRoute: false,
      forwardRules: true,
      firewallResyncMs: 5_000,
      peerFilter: false,
      peerProbes: false,
      healthz: undefined,
      subnetFile: this.subnetFile,
      renewMarginMs: 3_600_000,
      stalePeerGraceMs: 300_000,
      nodeId: undefined,
      logFormat: 'text',
      verbosity: 0,
    }
  }

  #makeLogger(): Logger {
    const say =
      (level: string): Logger['info'] =>
      (message, fields = {}) => {
        const values = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`)
        this.log.push([level, message, ...values].join(' '))
      }
    return this.events.recording({
      error: say('error'),
      warn: say('warn'),
      info: say('info'),
      debug: say('debug'),
    })
  }

  /** The agent as whoever answers for it sees it. */
  live(asked?: ReachView): LiveAgent {
    const ports = this.#ports
    if (ports === undefined) throw new TypeError('it has not been started')
    return {
      ...{ program: { version: '0.0.0', commit: 'none', pid: 1 }, node: ports.node, instance: ports.instance },
      ...{ clock: this.clock, wallMs: () => WALL_MS + this.clock.monotonicMs(), startedMs: 0, flags: {} },
      ...{
        status: this.status,
        counts: this.counts,
        reaches: asked ?? asReachView(ports.reaches),
        events: this.events,
      },
      store: {
        ...{ kind: 'etcd', outage: 'etcd', endpoints: [], certificates: undefined },
        configuration: ports.subnets.configuration.name,
      },
      kernelCounts: () => ({ requests: 0, errors: 0, overruns: 0, writes: this.kernel.stats().writes }),
    }
  }

  #makeConditions(): Conditions {
    return new Conditions({ clock: this.clock, log: this.#makeLogger() })
  }

  /** What the agent is given of the world. */
  protected get outer(): Outer {
    return { kernel: this.kernel, store: this.store, clock: this.clock }
  }

  makePorts(node: NodeIdentity, options = this.options()): AgentPorts {
    const { kernel, store, clock } = this.outer
    const own = {
      clock,
      random: () => 0.5,
      conditions: this.conditions,
      status: this.status,
      counts: this.counts,
      log: this.#makeLogger(),
    }
    return {
      kernel,
      firewall: this.firewall,
      peerFilter: this.peerFilter,
      foreignRules: this.foreignRules,
      kernelWrites: () => this.kernel.stats().writes,
      subnets: new EtcdSubnetManager(options, {
        ...own,
        store,
        resolveHost: () => Promise.resolve([]),
        wallMs: Date.now,
      }),
      ...own,
      reaches: this.reaches,
      openProbe: (family) => this.icmp.open(family),
      entropy: (octets) => new Uint8Array(octets),
      node,
      instance: `${node.hostname}, start ${++starts}`,
      setSysctl: async (name, value) => {
        await this.#heldSettings.get(name.join('/'))
        await this.sysctls.setSysctl(name, value)
      },
      readSysctl: this.sysctls.readSysctl,
      readResolvers: () => Promise.resolve(this.resolvers),
      readChecksumErrors: () => Promise.resolve(0),
      readNeighbourTables: () => Promise.resolve(this.neighbourTables),
      deriveCopyId,
      deriveMac: deriveVtepMac,
    }
  }
}
