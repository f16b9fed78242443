import { parseNetworkConfig, type NetworkConfig } from '../config/network.ts'
import { ConfigError } from '../config/error.ts'
import type { DaemonOptions } from '../config/options.ts'
import { chooseExternalInterface, type ExternalInterface } from '../host/external-interface.ts'
import { readPreviousSubnets } from '../host/subnet-env.ts'
import { acquireLease, type Acquired } from '../lease/acquire.ts'
import type { Family } from '../net/ip.ts'
import type { AgentPorts } from './ports.ts'
import { untilItWorks } from './retry.ts'
import { OverlaySession } from './session.ts'
import { isStopped } from './tasks.ts'
import { leaseTerms, vtepMacChooser } from './terms.ts'

/** Families this version programs. */
const FAMILY: Family = 4

/**
 * One node of the overlay: finds its underlay and the network configuration, acquires a lease, and runs a session on it; when the
 * lease is lost to another node, begins again with a new one. Ends only when `signal` aborts, or on a mistake of ours.
 */
export class Agent {
  readonly #options: DaemonOptions
  readonly #ports: AgentPorts

  constructor(options: DaemonOptions, ports: AgentPorts) {
    this.#options = options
    this.#ports = ports
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!isStopped(signal)) await this.#runSession(signal)
    } catch (error) {
      if (!isStopped(signal)) throw error // what fails after that fails because it was stopped
    }
  }

  async #runSession(signal: AbortSignal): Promise<void> {
    const { log } = this.#ports
    const underlay = await this.#findUnderlay(signal)
    const config = await this.#readConfig(signal)
    const acquired = await this.#acquire(config, underlay, signal)
    const session = new OverlaySession({ options: this.#options, ports: this.#ports, config, underlay, acquired })
    const lost = await session.run(signal)
    if (lost !== undefined) log.error(`lease lost: ${lost}; acquiring another, containers must move to the new subnet`)
  }

  async #findUnderlay(signal: AbortSignal): Promise<ExternalInterface> {
    const { kernel, log } = this.#ports
    const choice = { ifaces: this.#options.ifaces, publicIp: this.#options.publicIp }
    const underlay = await untilItWorks(
      'external interface',
      () => chooseExternalInterface(kernel, choice, FAMILY, signal),
      this.#ports,
      signal,
    )
    log.info('external interface chosen', {
      iface: underlay.link.name,
      address: underlay.address.text,
      publicIp: underlay.publicIp.text,
      mtu: underlay.link.mtu,
    })
    return underlay
  }

  async #readConfig(signal: AbortSignal): Promise<NetworkConfig> {
    const key = `${this.#options.etcd.prefix}/config`
    const read = async (): Promise<NetworkConfig> => {
      const record = await this.#ports.store.readConfig(signal)
      if (record === undefined) throw new ConfigError(key, 'the network configuration, as JSON', undefined)
      return refuseUnsupported(parseNetworkConfig(record.value))
    }
    const config = await untilItWorks('network configuration', read, this.#ports, signal)
    const [overlay] = config.overlays
    this.#ports.log.info('network configuration read', {
      network: overlay?.network.text,
      subnetLen: overlay?.subnetLength,
      backend: config.backend.type,
      vni: config.backend.vni,
      port: config.backend.port,
    })
    return config
  }

  async #acquire(config: NetworkConfig, underlay: ExternalInterface, signal: AbortSignal): Promise<Acquired> {
    const { store, random, log } = this.#ports
    const previousSubnets = await readPreviousSubnets(this.#options.subnetFile)
    const attempt = async (): Promise<Acquired> => {
      const chooseMac = await vtepMacChooser(this.#ports, config, underlay, signal)
      return acquireLease(store, leaseTerms(this.#ports, config, underlay, previousSubnets, chooseMac), random, signal)
    }
    const acquired = await untilItWorks('lease', attempt, this.#ports, signal)
    log.info(`lease ${acquired.how}`, { subnet: acquired.lease.key, peers: acquired.list.records.length })
    return acquired
  }
}

/** Settings that are valid, and that a later version will honour. Saying so beats half a network. */
function refuseUnsupported(config: NetworkConfig): NetworkConfig {
  if (config.overlays.some(({ family }) => family !== FAMILY))
    throw new ConfigError('EnableIPv6', 'false: this version programs IPv4 only', true)
  if (config.backend.directRouting)
    throw new ConfigError('Backend.DirectRouting', 'false: this version always encapsulates', true)
  return config
}
