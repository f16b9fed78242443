/*
 * etcd/subnets is the subnet manager over leases in etcd: it gets this node a lease, holds it against whatever befalls its key, answers
 * whoever asks whether it lives, and tells of the leases of others. It is handed the `LeaseStore & Challenges` port, and so runs on a
 * fake as it does on etcd. The agent calls it as its `SubnetManager`, and commands/run-daemon.ts puts the two together.
 */
import { StoreAddresses, type ResolveHost } from '../../agent/managers/store-addresses.ts'
import type { AcquiredSubnet, ConfigurationSource, SubnetManager } from '../../agent/runtime/subnet-manager.ts'
import type { Task } from '../../agent/runtime/task.ts'
import { ConfigError } from '../../config/error.ts'
import type { NetworkConfig } from '../../config/network.ts'
import type { DaemonOptions } from '../../config/options.ts'
import { acquireLease } from '../../lease/acquire/acquire.ts'
import type { Acquired } from '../../lease/acquire/acquisition.ts'
import type { PeerRecord, Revision } from '../../lease/lease.ts'
import type { LeaseStore } from '../../lease/store.ts'
import type { LeaseTerms } from '../../lease/terms.ts'
import { Wakeup } from '../../time/wakeup.ts'
import { CertificatesTask, type CertificateFiles } from './certificates-task.ts'
import { ClockTask, type StoreClock } from './clock-task.ts'
import { RightsTask } from './rights-task.ts'
import { HeldLease, type LeasePorts } from './held-lease.ts'

export interface EtcdSubnetPorts extends LeasePorts {
  /** Addresses of a host name, for those in the URLs of etcd. */
  readonly resolveHost: ResolveHost
  /** Those of TLS; undefined: etcd is not met with any. */
  readonly certificates?: CertificateFiles | undefined
  /** The clock of etcd beside ours; undefined where it is not told. */
  readonly storeClock?: (signal: AbortSignal) => Promise<StoreClock | undefined>
  /** Wall-clock time, in milliseconds: certificates end by it. */
  readonly wallMs: () => number
}

/** Leases in etcd, as upstream has them. */
export class EtcdSubnetManager implements SubnetManager {
  readonly store = 'etcd'
  readonly leasesSubnets = true
  readonly configuration: ConfigurationSource
  readonly endpoints: StoreAddresses
  readonly tasks: readonly Task[]
  readonly #ports: EtcdSubnetPorts
  readonly #renewMarginMs: number
  readonly #certificatesBell = new Wakeup()
  /** The newest. */
  #held: HeldLease | undefined

  constructor({ etcd, renewMarginMs }: Pick<DaemonOptions, 'etcd' | 'renewMarginMs'>, ports: EtcdSubnetPorts) {
    this.#ports = ports
    this.#renewMarginMs = renewMarginMs
    this.configuration = configurationIn(ports.store, `${etcd.prefix}/config`)
    this.endpoints = new StoreAddresses('etcd', () => etcd.endpoints, ports.resolveHost, ports.clock)
    const { certificates: files, storeClock: ask, conditions, wallMs, random } = ports
    this.tasks = [
      this.endpoints,
      new RightsTask(ports),
      ...(files === undefined
        ? []
        : [new CertificatesTask({ files, conditions, wallMs, bell: this.#certificatesBell })]),
      ...(ask === undefined ? [] : [new ClockTask({ ask, conditions, clock: ports.clock, random, wallMs })]),
    ]
  }

  /** Their files may have changed: whoever watches them looks now. */
  lookAtCertificates(): void {
    this.#certificatesBell.ring()
  }

  prepare(signal: AbortSignal): Promise<void> {
    return this.endpoints.first(signal)
  }

  async acquire(terms: LeaseTerms, signal: AbortSignal): Promise<AcquiredSubnet> {
    const ports = this.#ports
    const isCloneKnown = this.#held?.hasMetClone ?? false
    const acquired = await acquireLease({ ...ports, terms, isCloneKnown }, signal)
    const { lease, how, warnings, list } = acquired
    let peers = list.records.filter(({ key }) => key !== lease.key)
    let first: Acquired | undefined = acquired
    return {
      lease,
      node: acquired.terms.node,
      how,
      warnings,
      peerCount: peers.length,
      takePeers: () => {
        const taken = peers
        peers = []
        return taken
      },
      hold: (holding) => {
        if (first === undefined) throw new TypeError('held already')
        this.#held = new HeldLease({ ports, renewMarginMs: this.#renewMarginMs, acquired: first, holding })
        first = undefined
        return this.#held
      },
    }
  }

  async saidAt(key: string, revision: Revision, signal: AbortSignal): Promise<PeerRecord | undefined | 'forgotten'> {
    const said = await this.#ports.store.saidAt(key, revision, signal)
    return said === 'compacted' ? 'forgotten' : said
  }

  refreshConnections(): void {
    this.#ports.store.refreshConnections()
  }
}

function configurationIn(store: Pick<LeaseStore, 'readConfig' | 'watchConfig'>, name: string): ConfigurationSource {
  return {
    name,
    missing: () => missingConfiguration(name),
    read: async (signal) => (await store.readConfig(signal))?.value,
    watch: (signal) => configurations(store, signal),
    check: refuseUnnamed,
  }
}

/** The keys of the two versions of the API are two stores in one etcd; flannel of 2015 read the older one. */
const missingConfiguration = (name: string): ConfigError =>
  new ConfigError(
    name,
    "the network configuration, as JSON, among the keys of etcd's API v3 (etcdctl put and get with ETCDCTL_API=3; set and ls are of v2, whose keys are others)",
    undefined,
  )

async function* configurations(
  store: Pick<LeaseStore, 'watchConfig'>,
  signal: AbortSignal,
): AsyncGenerator<string | undefined, void, undefined> {
  for await (const record of store.watchConfig(signal)) yield record?.value
}

/** Settings that are valid, and that a later version will honour. Saying so beats half a network. @throws {ConfigError} */
export function refuseUnnamed({ overlays }: NetworkConfig): void {
  if (!overlays.some(({ family }) => family === 4))
    throw new ConfigError('EnableIPv4', 'true: a lease in etcd is named for its IPv4 subnet, as upstream has it', false)
}
