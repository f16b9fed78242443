import type { NetworkConfig } from '../config/network.ts'
import type { DaemonOptions } from '../config/options.ts'
import type { ExternalInterface } from '../host/external-interface.ts'
import type { Acquired } from '../lease/acquire.ts'
import { LeaseKeeper, type LeaseState } from '../lease/keeper.ts'
import { encodeLease } from '../lease/codec.ts'
import { leaseFamily } from '../lease/lease.ts'
import type { Surroundings } from '../lease/peer-rules.ts'
import { claimFor, type LeaseTerms } from '../lease/terms.ts'
import { PeerTable } from '../lease/peers.ts'
import { Wakeup } from '../net/wakeup.ts'
import type { PeerEntries } from '../reconcile/entries.ts'
import { Reconciler } from '../reconcile/reconciler.ts'
import { decodeVtepData } from '../vxlan/backend-data.ts'
import { vxlanJudge } from '../vxlan/judge.ts'
import type { Vtep } from '../vxlan/vtep.ts'
import { DeviceTask } from './device-task.ts'
import { PeersTask } from './peers-task.ts'
import { etcdAddresses } from './etcd-addresses.ts'
import type { AgentPorts } from './ports.ts'
import { ReconcileTask } from './reconcile-task.ts'
import { SubnetFile } from './subnet-file.ts'
import { runTogether } from './tasks.ts'
import { leaseTerms } from './terms.ts'

export interface SessionInput {
  readonly options: DaemonOptions
  readonly ports: AgentPorts
  readonly config: NetworkConfig
  readonly underlay: ExternalInterface
  readonly acquired: Acquired
}

/**
 * Everything that lives as long as one lease: the device, the peers, the reconciler between them, and the keeper of the lease itself.
 */
export class OverlaySession {
  readonly #ports: AgentPorts
  readonly #keeper: LeaseKeeper
  readonly #device: DeviceTask
  readonly #peers: PeersTask
  readonly #reconcile: ReconcileTask

  constructor(input: SessionInput) {
    const { ports, config, acquired, options } = input
    this.#ports = ports
    const vtep = vtepOf(input)
    const somethingToDo = new Wakeup()
    const reconciler = new Reconciler(ports.kernel, [vtep.family], ports.clock, ports.random)
    const subnetFile = new SubnetFile(options.subnetFile, { overlay: vtep.overlay, subnet: vtep.subnet }, ports)
    this.#keeper = makeKeeper(input, vtep)
    let { underlay } = input
    const onUnderlay = (changed: ExternalInterface): void => {
      underlay = changed
      ports.log.info('our address on the underlay has changed', { publicIp: underlay.publicIp.text })
      ports.store.refreshConnections()
      this.#keeper.publish(encodeLease(claimFor(ownTerms({ ...input, underlay }, vtep), [vtep.subnet], undefined)))
    }
    this.#device = new DeviceTask({ ...input, vtep, reconciler, subnetFile, somethingToDo, onUnderlay })
    const surroundings = (): Surroundings => ({
      overlays: config.overlays,
      own: [vtep.subnet],
      ownPublicIps: [underlay.publicIp],
      protectedIps: [underlay.address, ...etcdAddresses(options.etcd.endpoints)],
    })
    const peers = new PeerTable<PeerEntries>(vxlanJudge(vtep, acquired.record.key, surroundings))
    this.#peers = new PeersTask({ ports, peers, reconciler, keeper: this.#keeper, list: acquired.list, somethingToDo })
    this.#reconcile = new ReconcileTask({ ports, reconciler, subnetFile, somethingToDo, peers })
  }

  /** Runs until `signal` aborts (then undefined) or the lease has become another node's (then why). */
  async run(signal: AbortSignal): Promise<string | undefined> {
    let lost: string | undefined
    await runTogether(
      [
        { name: 'device', run: (stop) => this.#device.run(stop) },
        { name: 'reconcile', run: (stop) => this.#reconcile.run(stop) },
        { name: 'peers', run: (stop) => this.#peers.run(stop) },
        {
          name: 'lease',
          run: async (stop) => {
            lost = await this.#keeper.hold(stop)
          },
        },
      ],
      signal,
    )
    return lost
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

/** The terms on which we hold what we have: this subnet, this MAC. */
const ownTerms = ({ ports, config, underlay }: SessionInput, vtep: Vtep): LeaseTerms =>
  leaseTerms(ports, config, underlay, [vtep.subnet], () => vtep.mac)

function makeKeeper(input: SessionInput, vtep: Vtep): LeaseKeeper {
  const { ports, acquired, options } = input
  const onState = (state: LeaseState, what: string): void => {
    const fields = { subnet: acquired.record.key }
    if (state.is === 'held') ports.log.info(`lease ${what}`, fields)
    else if (state.is === 'unrenewed')
      ports.log.warn(`lease ${what}: ${state.error.message}; forwarding goes on`, fields)
    else if (state.is === 'contested')
      ports.log.error(`lease ${what}: has another machine the same machine id? Give one of them --node-id`, fields)
    else ports.log.error(what, fields)
  }
  return new LeaseKeeper(acquired.record, {
    store: ports.store,
    terms: ownTerms(input, vtep),
    clock: ports.clock,
    random: ports.random,
    renewMarginMs: options.renewMarginMs,
    onState,
  })
}
