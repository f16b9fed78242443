import { Place } from './namespace.ts'

/** The network that the simulated machines share, as in the walkthroughs. */
export const UNDERLAY = {
  device: 'underlay',
  /** Of its own: by default a bridge has the lowest MAC of its ports, and another when that one is unplugged. */
  mac: '02:00:00:00:00:01',
  gateway: '192.168.205.1',
  prefixLength: 24,
  address: (lastOctet: number): string => `192.168.205.${lastOctet}`,
  gateway6: 'fd00:205::1',
  prefixLength6: 64,
} as const

const FIRST_ETCD = 2
const FIRST_HOST = 10

export const etcdAddress = (index: number): string => UNDERLAY.address(FIRST_ETCD + index)
export const hostAddress = (index: number): string => UNDERLAY.address(FIRST_HOST + index)

/** The same last number in both families, as people choose them. */
export const hostAddress6 = (index: number): string => `fd00:205::${FIRST_HOST + index}`

/** The switch: a bridge in the laboratory's own network namespace, with the gateway's and etcd's addresses on it. */
export class Underlay {
  readonly place = new Place()

  static async create(addresses: readonly string[]): Promise<Underlay> {
    const { device, mac, gateway, prefixLength, gateway6, prefixLength6 } = UNDERLAY
    const underlay = new Underlay()
    await underlay.place.ipBatch([
      `link add ${device} address ${mac} type bridge forward_delay 0 mcast_snooping 0`,
      ...[gateway, ...addresses].map((address) => `address add ${address}/${prefixLength} dev ${device}`),
      `address add ${gateway6}/${prefixLength6} dev ${device} nodad`,
      `link set ${device} up`,
    ])
    return underlay
  }

  /** Plugs a machine in: its end is called eth0, ours as given. @param mac of eth0; a random one when absent */
  async connect(port: string, pid: number, mac?: string): Promise<void> {
    const card = mac === undefined ? 'eth0' : `eth0 address ${mac}`
    await this.place.ipBatch([
      `link add ${port} type veth peer name ${card} netns ${pid}`,
      `link set ${port} master ${UNDERLAY.device} up`,
    ])
  }

  /** Unplugs it at once; the kernel takes its time to clean up after a namespace. */
  async disconnect(port: string): Promise<void> {
    await this.place.attempt('ip', ['link', 'delete', port])
  }

  close(): Promise<void> {
    return this.disconnect(UNDERLAY.device)
  }
}
