import { join } from 'node:path'
import { Namespace, type Place } from './namespace.ts'
import { ping, PingStream, type PingOptions, type PingResult } from './ping.ts'
import { containerAddress, type SubnetFile } from './subnet-file.ts'

export const CONTAINER_BRIDGE = 'docker0'

/** The bridge that Docker would make of the options flannel wrote for it. */
export async function createContainerBridge(host: Place, { bridgeAddress, mtu, ipv6 }: SubnetFile): Promise<void> {
  await host.ipBatch([
    `link add ${CONTAINER_BRIDGE} mtu ${mtu} type bridge forward_delay 0 mcast_snooping 0`,
    `address add ${bridgeAddress} dev ${CONTAINER_BRIDGE}`,
    ...(ipv6 ? [`address add ${ipv6.bridgeAddress} dev ${CONTAINER_BRIDGE} nodad`] : []),
    `link set ${CONTAINER_BRIDGE} up`,
  ])
}

const SETUP = 'ip link set lo up\necho 0 > /proc/sys/net/ipv6/conf/default/accept_dad'

function ipv6Setup({ ipv6 }: SubnetFile, address: string | undefined): readonly string[] {
  if (ipv6 === undefined || address === undefined) return []
  const gateway = ipv6.bridgeAddress.split('/')[0] ?? ''
  return [`address add ${address}/${ipv6.subnet.length} dev eth0 nodad`, `route add default via ${gateway}`]
}

/** A network namespace behind the host's container bridge, with the next free address of its subnet. */
export class Container {
  readonly address: string
  /** With both families. */
  readonly address6: string | undefined
  readonly place: Namespace
  readonly #folder: string
  #streams = 0

  private constructor(addresses: { ipv4: string; ipv6: string | undefined }, place: Namespace, folder: string) {
    this.address = addresses.ipv4
    this.address6 = addresses.ipv6
    this.place = place
    this.#folder = folder
  }

  /** @param folder where the logs of its commands go */
  static async create(host: Place, file: SubnetFile, index: number, folder: string): Promise<Container> {
    const address = containerAddress(file, index)
    const address6 = file.ipv6 && containerAddress(file.ipv6, index)
    const place = await Namespace.create(SETUP, host)
    const port = `c${index}`
    await host.ipBatch([
      `link add ${port} mtu ${file.mtu} type veth peer name eth0 mtu ${file.mtu} netns ${place.pid}`,
      `link set ${port} master ${CONTAINER_BRIDGE} up`,
    ])
    const gateway = file.bridgeAddress.split('/')[0]
    await place.ipBatch([
      `address add ${address}/${file.subnet.length} dev eth0`,
      'link set eth0 up',
      `route add default via ${gateway}`,
      ...ipv6Setup(file, address6),
    ])
    return new Container({ ipv4: address, ipv6: address6 }, place, folder)
  }

  ping(to: string, options?: PingOptions): Promise<PingResult> {
    return ping(this.place, to, options)
  }

  /** Starts pinging until stopped. */
  pingStream(to: string, intervalMs?: number): PingStream {
    const log = join(this.#folder, `ping-${this.address}-${this.#streams++}.log`)
    return new PingStream(this.place, to, log, intervalMs)
  }

  close(): Promise<void> {
    return this.place.close()
  }
}
