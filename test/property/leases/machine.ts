import type { HostNetwork } from '../../../src/agent/around/host-network.ts'
import { ownTerms, termsToAcquire } from '../../../src/agent/own-terms.ts'
import type { AcquiredSubnet } from '../../../src/agent/runtime/subnet-manager.ts'
import type { Backend } from '../../../src/backend/backend.ts'
import { chooseBackend } from '../../../src/backend/choice/choose-backend.ts'
import { publishedMac } from '../../../src/backend/vxlan/backend-data.ts'
import { deviceIdentity, vxlanSettings } from '../../../src/backend/vxlan/device-spec.ts'
import type { NetworkConfig } from '../../../src/config/network.ts'
import { deriveCopyId, deriveVtepMac } from '../../../src/host/identity.ts'
import type { Underlay } from '../../../src/kernel/underlay.ts'
import { leaseFamily, type Lease, type NodeIdentity } from '../../../src/lease/lease.ts'
import type { LeaseTerms } from '../../../src/lease/terms.ts'
import type { Family, Ip } from '../../../src/net/ip.ts'
import type { Mac } from '../../../src/net/mac.ts'
import { hostPrefix, type Prefix } from '../../../src/net/prefix.ts'
import { FakeKernel } from '../../fake/fake-kernel.ts'

/** What a node of ours runs on: the hardware, the devices that earlier runs have left, and the subnet file. */
export class Machine {
  readonly identity: NodeIdentity
  readonly #kernel = new FakeKernel()
  readonly #card
  #subnets: readonly Prefix[] = []

  constructor(identity: NodeIdentity, hardware: Mac) {
    this.identity = identity
    this.#card = this.#kernel.addCard('eth0', { mac: hardware })
  }

  /** Files and devices of the last run are gone. */
  switchOff(): void {
    this.#subnets = []
    this.#removeDevices()
  }

  /** What `agent/agent.ts` asks for a lease with. */
  termsToAcquire(
    config: NetworkConfig,
    publicIps: ReadonlyMap<Family, Ip>,
    instance: string,
    signal: AbortSignal,
  ): Promise<LeaseTerms> {
    const ports = {
      kernel: this.#kernel,
      node: this.identity,
      instance,
      deriveCopyId,
      deriveMac: deriveVtepMac,
    }
    const host = this.#host(config, publicIps)
    return termsToAcquire(ports, host, chooseBackend(config.backend), this.#traces, signal)
  }

  get #traces(): { readonly previousSubnets: readonly Prefix[]; readonly hintedSubnets: readonly Prefix[] } {
    return { previousSubnets: this.#subnets, hintedSubnets: [] }
  }

  /** What `agent/session.ts` holds a lease on. */
  termsToHold(
    config: NetworkConfig,
    publicIps: ReadonlyMap<Family, Ip>,
    instance: string,
    { lease, node }: AcquiredSubnet,
  ): LeaseTerms {
    const backends = backendsOf(config, lease)
    return ownTerms({ node, instance }, this.#host(config, publicIps), chooseBackend(config.backend), {
      publishers: new Map(backends.map((backend) => [backend.own.overlay.family, backend])),
      ...this.#traces,
    })
  }

  /** The subnet file and the devices become those of a lease. */
  settle(config: NetworkConfig, publicIps: ReadonlyMap<Family, Ip>, lease: Lease): void {
    this.#subnets = lease.families.map(({ subnet }) => subnet)
    this.#removeDevices()
    const settings = vxlanSettings(config.backend)
    for (const [family, underlay] of this.#host(config, publicIps).underlays) {
      const { name, vxlan } = deviceIdentity(family, settings, underlay)
      const mac = publishedMac(family, lease)
      this.#kernel.addCard(name, { kind: 'vxlan', mac, vxlan: { ...vxlan, external: false } })
    }
  }

  #removeDevices(): void {
    const { links } = this.#kernel.tables
    for (const index of [...links.keys()]) if (index !== this.#card.index) links.delete(index)
  }

  #host(config: NetworkConfig, publicIps: ReadonlyMap<Family, Ip>): HostNetwork {
    const underlays = new Map<Family, Underlay>()
    for (const { family } of config.overlays) {
      const address = publicIps.get(family)
      if (address !== undefined) underlays.set(family, this.#underlay(address))
    }
    return { config, underlays, endpoints: [] }
  }

  #underlay(address: Ip): Underlay {
    return { link: this.#card, address, prefix: hostPrefix(address), gateways: [], publicIp: address }
  }
}

function backendsOf({ overlays, backend }: NetworkConfig, lease: Lease): readonly Backend[] {
  return overlays.flatMap((overlay) => {
    const published = leaseFamily(lease, overlay.family)
    return published === undefined
      ? []
      : [chooseBackend(backend).begin({ overlay, subnet: published.subnet }, published)]
  })
}
