import { join } from 'node:path'
import { Namespace, type Place } from './namespace.ts'
import { ping, PingStream, type PingOptions, type PingResult } from './ping.ts'
import { containerAddress, type SubnetFile } from './subnet-file.ts'

export const CONTAINER_BRIDGE = 'docker0'

/** The bridge that Docker would make of the options flannel wrote for it. */
export async function createContainerBridge(host: Place, { bridgeAddress, mtu }: SubnetFile): Promise<void> {
  await host.ipBatch([
    `link add ${CONTAINER_BRIDGE} mtu ${mtu} type bridge forward_delay 0 mcast_snooping 0`,
    `address add ${bridgeAddress} dev ${CONTAINER_BRIDGE}`,
    `link set ${CONTAINER_BRIDGE} up`,
  ])
}

/** A network namespace behind the host's container bridge, with the next free address of its subnet. */
export class Container {
  readonly address: string
  readonly place: Namespace
  readonly #folder: string
  #streams = 0

  private constructor(address: string, place: Namespace, folder: string) {
    this.address = address
    this.place = place
    this.#folder = folder
  }

  /** @param folder where the logs of its commands go */
  static async create(host: Place, file: SubnetFile, index: number, folder: string): Promise<Container> {
    const address = containerAddress(file, index)
    const place = await Namespace.create('ip link set lo up', host)
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
    ])
    return new Container(address, place, folder)
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
