import { prefix } from '../../src/net/prefix.ts'
import { Container, type LabHost } from '../lab/index.ts'
import { createContainerBridge } from '../lab/container.ts'
import type { SubnetFile } from '../lab/subnet-file.ts'

/*
 * Overlays as a person would make them: what ours is held against.
 */

/** Containers on two hosts, the second of which serves. */
export interface Pair {
  readonly client: Container
  readonly server: Container
}

/** One host's end of an overlay. */
export interface End {
  readonly host: LabHost
  /** The first three octets of its subnet, a /24. */
  readonly base: string
  readonly device: string
  /** Of the device, and of containers, in octets. */
  readonly mtu: number
}

/** The end of a VXLAN network. */
export interface VxlanEnd extends End {
  readonly vni: number
  readonly mac: string
}

/** A device with the settings of ours, and entries for one peer. */
export async function makeVxlan({ host, base, device, mtu, vni, mac }: VxlanEnd, peer: VxlanEnd): Promise<void> {
  const settings = `id ${vni} dstport 8472 local ${host.address} dev eth0 nolearning noudpcsum`
  await host.place.ipBatch([
    `link add ${device} mtu ${mtu} address ${mac} type vxlan ${settings}`,
    `address add ${base}.0/32 dev ${device}`,
    `link set ${device} up`,
    `neigh add ${peer.base}.0 lladdr ${peer.mac} dev ${device} nud permanent`,
    `route add ${peer.base}.0/24 via ${peer.base}.0 dev ${device} onlink`,
  ])
  const entry = [peer.mac, 'dev', device, 'dst', peer.host.address, 'self', 'permanent']
  await host.place.exec('bridge', ['fdb', 'add', ...entry])
}

/** A container behind an end, on the bridge that other containers of its host are on. */
export async function addContainer({ host, base, mtu }: End): Promise<Container> {
  const subnet = prefix(`${base}.0/24`)
  const file: SubnetFile = { variables: new Map(), subnet, bridgeAddress: `${base}.1/24`, mtu, ipv6: undefined }
  if (host.containers.length === 0) await createContainerBridge(host.place, file)
  else await host.place.ipBatch([`address add ${file.bridgeAddress} dev docker0`])
  const container = await Container.create(host.place, file, host.containers.length + 1, '/run/tmp')
  host.containers.push(container)
  return container
}

/** All in turn, so often, each time in the other order: whatever else the machine does meets all. */
export function inTurns<T>(all: readonly T[], turns: number): readonly T[] {
  return Array.from({ length: turns }, (_, turn) => (turn % 2 === 0 ? all : [...all].reverse())).flat()
}
