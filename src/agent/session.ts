import type { Backend, ConfiguredBackend, OwnSubnet } from '../backend/backend.ts'
import { chooseBackend } from '../backend/choice/choose-backend.ts'
import { backendJudge, type EntriesByFamily } from '../backend/judge.ts'
import type { NetworkConfig, OverlayNetwork } from '../config/network.ts'
import type { DaemonOptions } from '../config/options.ts'
import type { HostAddresses } from '../host/underlay/underlay.ts'
import type { Underlay } from '../kernel/underlay.ts'
import { freeSubnets, takenSubnets, type FreeSubnets } from '../lease/free-subnets.ts'
import type { LeaseTerms } from '../lease/terms.ts'
import { PeerTable, type Judge } from '../lease/peers/peer-table.ts'
import type { Family } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import { backendsOf } from './datapath/backends.ts'
import { ChangesTask } from './datapath/kernel-changes-task.ts'
import { ConfigTask } from './config-task.ts'
import { ForeignBackendLog } from './peers/foreign-backend-log.ts'
import { overlayView, type OverlayView } from './host/overlay-view.ts'
import { HostTasks } from './host/host-tasks.ts'
import { Datapath } from './datapath/datapath.ts'
import { AbsentFamiliesTask } from './datapath/absent-families-task.ts'
import { FormerTask, type PresentFamily } from './datapath/former-task.ts'
import type { PeerGate } from './datapath/reconcile-task.ts'
import { unwantedFilter } from './peer-filter/unwanted-filter.ts'
import { SessionFilter } from './peer-filter/session-filter.ts'
import { RoomTask } from './peers/room-task.ts'
import { PeersTask } from './peers/peers-task.ts'
import { ReachLog } from './probes/reach-log.ts'
import { ProbeTask } from './probes/probe-task.ts'
import type { AgentPorts } from './runtime/ports.ts'
import type { AcquiredSubnet, HeldSubnet } from './runtime/subnet-manager.ts'
import type { SessionView } from './view/session-view.ts'
import { shownSession } from './status/shown-session.ts'
import { SetUpReport } from './datapath/set-up.ts'
import { SubnetFile } from './subnet-file/subnet-file.ts'
import { SubnetRelease } from './subnet-file/subnet-release.ts'
import { runTogether, type Runtime, type Task } from './runtime/task.ts'
import type { Seen } from './around/other-networks.ts'
import { ownTerms } from './own-terms.ts'
import { Surroundings } from './around/surroundings.ts'

export interface SessionInput {
  readonly options: DaemonOptions
  readonly ports: AgentPorts
  readonly config: NetworkConfig
  /** Reads and checks a configuration. @throws {ConfigError} */
  readonly parseConfig: (text: string) => NetworkConfig
  /** By family of the overlay; the first one's has led the others' choice. */
  readonly underlays: ReadonlyMap<Family, Underlay>
  readonly acquired: AcquiredSubnet
  /** Whether there is an underlay by now for a family that has none among these. @throws {NoInterfaceError | KernelError} */
  readonly hasCome: (signal: AbortSignal) => Promise<boolean>
  /** The host, as it was when the lease was acquired. */
  readonly seen: Seen
  /** From the subnet file, as earlier runs have left it. */
  readonly formerSubnets: readonly Prefix[]
}

/**
 * Everything that lives as long as one lease: a datapath for each address family, the peers, and the holding of the lease itself.
 */
export class OverlaySession {
  readonly #input: SessionInput
  readonly #configured: ConfiguredBackend
  readonly #backends: readonly Backend[]
  readonly #own: readonly OwnSubnet[]
  readonly #surroundings: Surroundings
  readonly #held: HeldSubnet
  readonly #subnetFile: SubnetFile
  /** Undefined: peers are not asked. */
  readonly #probes: ProbeTask | undefined
  readonly #peers: PeersTask
  readonly #datapaths: readonly Datapath[]
  readonly #former: FormerTask
  readonly #host: HostTasks
  readonly #tasks: readonly Task[]
  readonly #shown: SessionView
  /** What is in force. */
  #config: NetworkConfig

  constructor(input: SessionInput) {
    const { ports, acquired, options } = input
    this.#input = input
    this.#config = input.config
    this.#configured = chooseBackend(input.config.backend)
    const overlays = input.config.overlays.filter(({ family }) => input.underlays.has(family))
    this.#backends = backendsOf(this.#configured, overlays, acquired.lease)
    const own = this.#backends.map((backend) => backend.own)
    this.#own = own
    const subnetFile = new SubnetFile(options.subnetFile, own, ports, options.ipMasq)
    this.#subnetFile = subnetFile
    const families = own.map(({ overlay }) => overlay.family)
    const release = new SubnetRelease({ ports, file: subnetFile, families })
    const peers = new PeerTable(this.#makeJudge(), ports.random() * 2 ** 32)
    this.#surroundings = new Surroundings({
      ...{ ...input, subnets: this.#subnets, rejected: () => peers.rejectedFor('covers_host_network') },
      onChange: () => {
        this.#peers.rejudge()
      },
    })
    const former = new FormerTask({
      ports,
      present: () => [...datapaths.map(({ present }) => present), ...this.#absent],
    })
    const areMissing = this.#absent.length > 0
    const absent = new AbsentFamiliesTask({ ports, areMissing, hasCome: input.hasCome })
    this.#former = former
    const readiness = new SetUpReport({
      ...{ families, ports, peers },
      onFamily: (family) => {
        release.forwards(family)
        former.stands(family)
        this.#host.forwards()
      },
    })
    const filter = makeFilter(input, this.#configured, () => datapaths)
    const datapaths = this.#makeDatapaths(readiness, filter?.task)
    this.#datapaths = datapaths
    this.#probes = this.#makeProbes()
    const probes = this.#probes === undefined ? [] : [this.#probes]
    this.#host = new HostTasks({
      ...input,
      own,
      devices: () => devicesOf(datapaths),
      view: () => this.#view(),
      release,
    })
    this.#peers = new PeersTask({
      ports,
      peers,
      sinks: [...(filter === undefined ? [] : [filter]), ...datapaths, ...probes],
      stalePeerGraceMs: options.stalePeerGraceMs,
      isVerbose: options.verbosity > 0,
      onRejections: () => {
        this.#surroundings.rejectionsChanged()
      },
    })
    this.#held = acquired.hold({
      terms: this.#ownTerms(),
      peers: this.#peers,
      isForwarding: () => release.isForwarding,
    })
    const changes = new ChangesTask({
      ports,
      followers: [...datapaths, this.#host, ...this.#surroundings.followers, former, absent],
    })
    const apply = (changed: NetworkConfig): void => {
      this.#applyConfig(changed)
    }
    const config = new ConfigTask({ ...input, givenSubnets: ports.subnets.leasesSubnets ? [] : this.#subnets, apply })
    this.#shown = shownSession({
      ...{ acquired, peers, held: this.#held, configTask: config, datapaths },
      kept: () => this.#peers.kept,
      config: () => this.#config,
      firewall: () => ({ ...this.#host.firewall, peerFilter: filter?.task.state }),
    })
    this.#tasks = [
      changes, // first: whoever looks after that misses nothing
      ...(filter?.tasks ?? [unwantedFilter(ports)]),
      ...datapaths.flatMap(({ tasks }) => tasks),
      this.#peers,
      ...this.#held.tasks,
      subnetFile,
      release,
      config,
      former,
      absent,
      ...this.#surroundings.tasks,
      ...this.#host.tasks,
      ...probes,
      ...(ports.subnets.leasesSubnets ? [this.#room(peers)] : []),
    ]
  }

  #room(peers: Pick<PeerTable<EntriesByFamily>, 'size' | 'rejected' | 'inForce'>): RoomTask {
    const leases = (): number => peers.size + peers.rejected.size + 1
    const own = this.#own.map(({ subnet }) => subnet)
    const room = (overlay: OverlayNetwork): FreeSubnets => freeSubnets(overlay, [...takenSubnets(own, peers)])
    return new RoomTask({ ...this.#input, overlays: this.#own.map(({ overlay }) => overlay), leases, room })
  }

  /** Undefined: peers are not to be asked. */
  #makeProbes(): ProbeTask | undefined {
    const { ports, options } = this.#input
    if (!options.peerProbes) {
      ports.reaches.end('--peer-probes is false')
      return undefined
    }
    const datapaths = this.#datapaths
    return new ProbeTask({
      ports,
      own: this.#backends.map(({ own, routesOn }) => ({
        ...{ ...own, routesOn },
        deviceName: () => devicesOf(datapaths).get(own.overlay.family),
      })),
      underlay: (family) => this.#surroundings.underlays.get(family),
    })
  }

  #view(): OverlayView {
    const { backend } = this.#config
    return overlayView({
      backends: this.#backends,
      devices: devicesOf(this.#datapaths),
      underlays: this.#surroundings.underlays,
      port: this.#configured.port,
      hasDirectRouting: backend.type === 'vxlan' && backend.directRouting,
    })
  }

  #makeDatapaths(readiness: SetUpReport, gate: PeerGate | undefined): readonly Datapath[] {
    const [leader] = this.#own
    const onUnderlay = (underlay: Underlay): void => {
      this.#followUnderlay(underlay)
    }
    const onHost = (family: Family, host: HostAddresses): void => {
      this.#surroundings.see(family, host)
    }
    const setMtu = (family: Family, mtu: number): void => {
      this.#subnetFile.setMtu(family, mtu)
      this.#probes?.setMtu(family, mtu)
    }
    return this.#backends.map((backend) => {
      const { family } = backend.own.overlay
      const underlay = this.#surroundings.underlays.get(family)
      if (leader === undefined || underlay === undefined) throw new TypeError(`no underlay for IPv${family}`)
      const own = { backend, underlay, leader: leader.overlay.family, setMtu }
      return new Datapath({ ...this.#input, ...own, readiness, onUnderlay, onHost, gate })
    })
  }

  /** Families of the network that have no underlay: what stands of them is left alone. */
  get #absent(): readonly PresentFamily[] {
    const { config, underlays } = this.#input
    return config.overlays
      .filter(({ family }) => !underlays.has(family))
      .map(({ family, network }) => ({
        family,
        network,
        device: this.#configured.deviceName(family),
        links: undefined,
      }))
  }

  #makeJudge(): Judge<EntriesByFamily> {
    const foreign = new ForeignBackendLog(this.#input.ports.log)
    return backendJudge({
      backends: this.#backends,
      ownKey: this.#input.acquired.lease.key,
      limits: () => this.#surroundings.limits(this.#config),
      nodeId: this.#input.acquired.node.id,
      onForeign: (backendType) => {
        foreign.say(backendType)
      },
    })
  }

  /** Runs until the signal aborts (then undefined) or the lease has become another node's (then why). */
  async run(runtime: Runtime): Promise<string | undefined> {
    const { ports, acquired } = this.#input
    const { endpoints } = ports.subnets
    const reachLog = new ReachLog({ ...ports, peer: (key) => this.#shown.peers.entriesOf(key) })
    const subscriptions = [
      endpoints.subscribe(() => {
        this.#surroundings.storeMoved()
        this.#peers.rejudge()
      }),
      ports.reaches.subscribe((changes) => {
        reachLog.say(changes)
      }),
    ]
    await this.#surroundings.read(runtime.signal)
    await this.#peers.begin(acquired.takePeers())
    ports.status.sessionBegan(
      this.#subnets.map(({ text }) => text).join(' '),
      this.#own.map(({ overlay }) => overlay.family),
    )
    ports.status.shows(this.#shown)
    try {
      await runTogether(this.#tasks, runtime)
      const { lost } = this.#held
      if (lost !== undefined) await this.#withdraw(runtime.signal)
      return lost
    } finally {
      for (const unsubscribe of subscriptions) unsubscribe()
      for (const datapath of this.#datapaths) datapath.end()
    }
  }

  /** Our subnet is another node's. */
  async #withdraw(signal: AbortSignal): Promise<void> {
    for (const datapath of this.#datapaths) await datapath.withdraw(signal)
    await this.#subnetFile.withdraw()
  }

  /** @throws {ConfigError} for an MTU that leaves too little for the overlay; then nothing is changed */
  #applyConfig(config: NetworkConfig): void {
    const before = this.#config
    for (const datapath of this.#datapaths) datapath.check(config.backend)
    this.#config = config
    for (const datapath of this.#datapaths) datapath.configure(config.backend)
    if (config.enableNftables !== before.enableNftables) this.#host.configure(config)
  }

  get #subnets(): readonly Prefix[] {
    return this.#own.map(({ subnet }) => subnet)
  }

  /** The terms on which we hold what we have: these subnets, these devices. */
  #ownTerms(): LeaseTerms {
    const { ports, acquired } = this.#input
    return ownTerms({ ...ports, node: acquired.node }, this.#surroundings.network(this.#config), this.#configured, {
      publishers: new Map(this.#backends.map((backend) => [backend.own.overlay.family, backend])),
      previousSubnets: this.#subnets,
      hintedSubnets: [],
    })
  }

  /** Our address on the underlay, or what is around it, has changed: it is published, and peers are judged anew. */
  #followUnderlay(underlay: Underlay): void {
    this.#surroundings.follow(underlay)
    this.#held.publish(this.#ownTerms())
    this.#peers.rejudge()
    this.#former.ask()
  }
}

/** The names of our devices. */
const devicesOf = (datapaths: readonly Datapath[]): ReadonlyMap<Family, string> =>
  new Map(datapaths.flatMap(({ family, deviceName }) => (deviceName === undefined ? [] : [[family, deviceName]])))

/** Where a device takes packets from whoever sends them. */
function makeFilter(
  input: SessionInput,
  { guarded }: ConfiguredBackend,
  datapaths: () => readonly Datapath[],
): SessionFilter | undefined {
  const { options, ports, config } = input
  if (!options.peerFilter) return undefined
  if (guarded !== undefined) return new SessionFilter({ options, ports, guarded, datapaths })
  ports.log.warn('--vxlan-peer-filter has nothing to do: the backend is not vxlan', { backend: config.backend.type })
  return undefined
}
