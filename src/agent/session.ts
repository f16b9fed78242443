import type { NetworkConfig } from '../config/network.ts'
import type { DaemonOptions } from '../config/options.ts'
import type { ExternalInterface } from '../host/external-interface.ts'
import type { Acquired } from '../lease/acquire.ts'
import type { Challenger } from '../lease/challenges.ts'
import { LeaseKeeper, type LeaseState } from '../lease/keeper.ts'
import { encodeLease } from '../lease/codec.ts'
import { leaseFamily } from '../lease/lease.ts'
import type { Surroundings } from '../lease/peer-rules.ts'
import { claimFor, type LeaseTerms } from '../lease/terms.ts'
import { PeerTable } from '../lease/peers.ts'
import { CLONE_ANSWERS_WITHIN_MS } from '../lease/proof.ts'
import { Wakeup } from '../net/wakeup.ts'
import type { PeerEntries } from '../reconcile/entries.ts'
import { Reconciler } from '../reconcile/reconciler.ts'
import { decodeVtepData } from '../vxlan/backend-data.ts'
import { vxlanJudge } from '../vxlan/judge.ts'
import type { Vtep } from '../vxlan/vtep.ts'
import { DeviceTask } from './device-task.ts'
import { PeersTask } from './peers-task.ts'
import { ChallengesTask } from './challenges-task.ts'
import { LeftoversTask } from './leftovers-task.ts'
import type { EtcdAddresses } from './etcd-addresses.ts'
import type { AgentPorts } from './ports.ts'
import { ReconcileTask } from './reconcile-task.ts'
import { SubnetFile } from './subnet-file.ts'
import { runTogether, type Task } from './tasks.ts'
import { leaseTerms, protectedPrefixes, type Terrain } from './terms.ts'
import { withdrawFromSubnet } from './withdraw.ts'

export interface SessionInput {
  readonly options: DaemonOptions
  readonly ports: AgentPorts
  readonly config: NetworkConfig
  readonly underlay: ExternalInterface
  readonly acquired: Acquired
  readonly etcdAddresses: EtcdAddresses
}

/**
 * Everything that lives as long as one lease: the device, the peers, the reconciler between them, and the keeper of the lease itself.
 */
export class OverlaySession {
  readonly #input: SessionInput
  readonly #vtep: Vtep
  readonly #keeper: LeaseKeeper
  readonly #subnetFile: SubnetFile
  readonly #peers: PeersTask
  readonly #tasks: readonly Task[]
  #underlay: ExternalInterface
  #lost: string | undefined

  constructor(input: SessionInput) {
    const { ports, acquired, options } = input
    this.#input = input
    this.#underlay = input.underlay
    const vtep = vtepOf(input)
    this.#vtep = vtep
    this.#keeper = makeKeeper(input, this.#ownTerms())
    const subnetFile = new SubnetFile(options.subnetFile, { overlay: vtep.overlay, subnet: vtep.subnet }, ports)
    this.#subnetFile = subnetFile
    const somethingToDo = new Wakeup()
    const reconciler = new Reconciler(ports.kernel, [vtep.family], ports.clock, ports.random)
    const peers = new PeerTable<PeerEntries>(vxlanJudge(vtep, acquired.record.key, () => this.#surroundings()))
    const { list } = acquired
    const { stalePeerGraceMs } = options
    const leftovers = new LeftoversTask({ ...ports, terms: this.#ownTerms(), ownKey: acquired.record.key })
    this.#peers = new PeersTask({
      ports,
      peers,
      reconciler,
      keeper: this.#keeper,
      list,
      ownRevision: acquired.record.modRevision,
      isForwarding: () => subnetFile.isReleased,
      stalePeerGraceMs,
      leftovers,
      somethingToDo,
    })
    const onUnderlay = (underlay: ExternalInterface): void => {
      this.#followUnderlay(underlay)
    }
    const device = new DeviceTask({ ...input, vtep, reconciler, subnetFile, somethingToDo, onUnderlay })
    const reconcile = new ReconcileTask({ ports, reconciler, subnetFile, somethingToDo, peers })
    const challenges = new ChallengesTask({ ...ports, key: acquired.record.key, ourselves: ourselves(ports) })
    this.#tasks = [
      { name: 'device', run: (stop) => device.run(stop) },
      { name: 'reconcile', run: (stop) => reconcile.run(stop) },
      { name: 'peers', run: (stop) => this.#peers.run(stop) },
      { name: 'lease', run: (stop) => this.#hold(stop) },
      { name: 'subnet file', run: (stop) => subnetFile.run(stop) },
      { name: 'leftovers', run: (stop) => leftovers.run(stop) },
      { name: 'challenges', run: (stop) => challenges.run(stop) },
    ]
  }

  /** Runs until `signal` aborts (then undefined) or the lease has become another node's (then why). */
  async run(signal: AbortSignal): Promise<string | undefined> {
    const { ports, etcdAddresses } = this.#input
    etcdAddresses.onChange = () => {
      this.#peers.rejudge()
    }
    await runTogether(this.#tasks, signal)
    if (this.#lost !== undefined) {
      await withdrawFromSubnet(ports, this.#vtep, signal)
      await this.#subnetFile.withdraw()
    }
    return this.#lost
  }

  async #hold(signal: AbortSignal): Promise<void> {
    this.#lost = await this.#keeper.hold(signal)
  }

  #terrain(): Terrain {
    const { config, etcdAddresses } = this.#input
    return { config, underlay: this.#underlay, etcdAddresses: etcdAddresses.all }
  }

  /** The terms on which we hold what we have: this subnet, this MAC. */
  #ownTerms(): LeaseTerms {
    const { family, mac, subnet } = this.#vtep
    return leaseTerms(this.#input.ports, this.#terrain(), {
      deviceMacs: new Map([[family, mac]]),
      previousSubnets: [subnet],
    })
  }

  #surroundings(): Surroundings {
    return {
      overlays: this.#input.config.overlays,
      own: [this.#vtep.subnet],
      ownPublicIps: [this.#underlay.publicIp],
      protectedPrefixes: protectedPrefixes(this.#terrain()),
    }
  }

  /** Our address on the underlay, or what is around it, has changed: peers and etcd get to know, and peers are judged anew. */
  #followUnderlay(underlay: ExternalInterface): void {
    const { ports } = this.#input
    const before = this.#underlay
    this.#underlay = underlay
    const isMoved = before.publicIp.text !== underlay.publicIp.text || before.address.text !== underlay.address.text
    if (isMoved) {
      ports.log.info('our address on the underlay has changed', { publicIp: underlay.publicIp.text })
      ports.store.refreshConnections()
    }
    this.#keeper.publish(encodeLease(claimFor(this.#ownTerms(), [this.#vtep.subnet], undefined)))
    this.#peers.rejudge()
  }
}

/** Our own VTEP, as our lease describes it. @throws {TypeError} when the lease is not one that we wrote */
function vtepOf({ config, acquired }: SessionInput): Vtep {
  const [overlay] = config.overlays
  const part = overlay && leaseFamily(acquired.lease, overlay.family)
  if (overlay === undefined || part === undefined)
    throw new TypeError('the lease has no subnet for the configured network')
  const { mac } = decodeVtepData(part.backendData, 'BackendData')
  return { family: overlay.family, vni: config.backend.vni, mac, subnet: part.subnet, overlay }
}

const ourselves = ({ node, instance }: AgentPorts): Challenger => ({ ...node, instance })

function makeKeeper({ ports, acquired, options }: SessionInput, terms: LeaseTerms): LeaseKeeper {
  const onState = (state: LeaseState, what: string): void => {
    const fields = { subnet: acquired.record.key }
    if (state.is === 'held') ports.log.info(`lease ${what}`, fields)
    else if (state.is === 'unrenewed')
      ports.log.warn(`lease ${what}: ${state.error.message}; forwarding goes on`, fields)
    else if (state.is === 'contested' && state.done === 'rewritten')
      ports.log.error(`lease ${what}: has another machine the same machine id? Give one of them --node-id`, fields)
    else if (state.is === 'contested') ports.log.error(`lease ${what}`, fields)
    else ports.log.error(what, fields)
  }
  return new LeaseKeeper(acquired.record, {
    store: ports.store,
    terms,
    clock: ports.clock,
    random: ports.random,
    renewMarginMs: options.renewMarginMs,
    challenge: (signal) => ports.store.ask(acquired.record.key, ourselves(ports), CLONE_ANSWERS_WITHIN_MS, signal),
    onState,
  })
}
