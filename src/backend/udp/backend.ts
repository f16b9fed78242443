import type { UdpConfig } from '../../config/backend.ts'
import { leaseFamily, type Lease } from '../../lease/lease.ts'
import { rejectedFor, type Rejected } from '../../lease/rejection.ts'
import { NO_ENTRIES, type PeerEntries } from '../../reconcile/entries.ts'
import type { Backend, ConfiguredBackend, OwnSubnet } from '../backend.ts'
import { WITHOUT_DEVICE } from '../backend.ts'
import { UdpDeviceKeeper } from './device-keeper.ts'
import { ForwardedPeers } from './forwarded-peers.ts'
import { USUAL_NAME } from './tunnel.ts'

/** Upstream's nodes name no type in their leases where the backend is udp. */
const LEASE_TYPES = ['udp', '']

/** Packets go to peers as UDP datagrams, out of a TUN device whose packets threads of the agent carry. */
export const udpBackend = (own: OwnSubnet, config: UdpConfig): Backend => ({
  ...WITHOUT_DEVICE,
  leaseTypes: LEASE_TYPES,
  own,
  routesOn: 'device',
  hasOneRoute: true,
  reach: (lease) => entriesFor(lease, own),
  makeParts: ({ ports, setEntries }) => {
    const router = new ForwardedPeers({ setEntries, network: own.overlay.network })
    return { router, device: new UdpDeviceKeeper({ own, config, ports, peers: router }) }
  },
})

/** The kernel needs nothing for a peer: the forwarder has them all. */
const entriesFor = (lease: Lease, { overlay }: OwnSubnet): PeerEntries | Rejected =>
  leaseFamily(lease, overlay.family) === undefined
    ? rejectedFor('other_network', `it has no IPv${overlay.family} subnet`)
    : NO_ENTRIES

/** The udp backend with its settings. */
export const configuredUdp = (config: UdpConfig): ConfiguredBackend => ({
  leaseType: '',
  programsKernel: true,
  deviceName: () => USUAL_NAME,
  logFields: { port: config.port },
  port: config.port,
  guarded: undefined,
  findPublisher: () => Promise.resolve(WITHOUT_DEVICE),
  begin: (own) => udpBackend(own, config),
})
