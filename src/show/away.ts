import { ago, counted } from '../present/age.ts'
import { labelled, type Labelled } from '../present/lines.ts'
import type { Looks } from '../present/table.ts'
import { printable } from '../text/printable.ts'

/** What can be known of a node whose agent does not answer: from the kernel, the subnet file and the store. */
export interface AwayDocument {
  readonly version: 1
  readonly at: string
  readonly state: 'away'
  /** Why the agent could not be asked. */
  readonly why: string
  readonly hostname: string
  /** A process that holds this host as its agent; 0 where it is not seen. */
  readonly pid: number | null
  readonly devices: readonly AwayDevice[]
  readonly subnetFile: {
    readonly path: string
    readonly subnets: readonly string[]
    readonly writtenAt: string
  } | null
  readonly store: {
    /** `etcd`, `Kubernetes API`; `store` where the settings make no sense. */
    readonly name: string
    readonly endpoints: string
    readonly problem: string | null
    readonly leases: number | null
    /** Of those that name this node. */
    readonly own: readonly string[]
  }
}

/** A device that carries an overlay, as the kernel has it. */
export interface AwayDevice {
  readonly name: string
  /** Whether the agent carries its packets (`udp`): it has neither VNI nor port then, which are 0, and the peers are in no table of the kernel. */
  readonly isCarried: boolean
  readonly vni: number
  readonly port: number
  readonly mtu: number
  readonly isUp: boolean
  readonly addresses: readonly string[]
  readonly neighbours: number
  readonly fdb: number
  readonly routes: number
}

/** `flanneld status` without an agent. */
export function showAway(document: AwayDocument, looks: Looks): string {
  const { hostname, why, devices, subnetFile, store } = document
  const goesOn = goesOnText(devices.filter(({ isUp, routes }) => isUp && routes > 0))
  const rows: readonly Labelled[] = [
    ['Agent', agentText(document)],
    ...devices.map((device): Labelled => [device.name, deviceText(device)]),
    ['Subnet file', subnetFile === null ? 'not there' : fileText(subnetFile, Date.parse(document.at))],
    [store.name, storeText(store)],
  ]
  const head = `${looks.paint('bad', `${printable(hostname)} is without an agent that answers`)}: ${printable(why)}\n`
  return `${head}${looks.paint('bold', 'next: systemctl status flanneld; flanneld doctor')}\n\n${labelled(rows, looks)}\nRead from the kernel, the subnet file and ${store.name === 'etcd' ? 'etcd' : `the ${store.name}`}: ${goesOn}.\n`
}

function agentText({ pid }: AwayDocument): string {
  if (pid === null) return 'none runs on this host'
  return `one runs${pid === 0 ? '' : ` (pid ${pid})`}, but does not answer there`
}

function goesOnText(carrying: readonly AwayDevice[]): string {
  if (carrying.length === 0) return 'the kernel holds no overlay'
  if (carrying.every(({ isCarried }) => isCarried))
    return 'threads of the agent carry packets to the peers it knew, if it is not stopped, and it hears of no changes'
  return 'the kernel goes on forwarding by what it holds, and hears of no changes'
}

function deviceText({ isCarried, isUp, addresses, mtu, vni, port, neighbours, fdb, routes }: AwayDevice): string {
  const common = `${isUp ? 'up' : 'DOWN'}, ${addresses.join(' ') || 'no address'}, MTU ${mtu}`
  if (isCarried) return `${common}, TUN of the udp backend: ${counted(routes, 'route')}`
  return `${common}, VNI ${vni}, port ${port}: ${counted(neighbours, 'neighbour')}, ${counted(fdb, 'FDB entry', 'FDB entries')}, ${counted(routes, 'route')}`
}

const fileText = ({ path, subnets, writtenAt }: NonNullable<AwayDocument['subnetFile']>, at: number): string =>
  `${path}: ${subnets.join(' and ') || 'no subnet'}, written ${ago(writtenAt, at)}`

function storeText({ endpoints, problem, leases, own }: AwayDocument['store']): string {
  if (problem !== null) return `${printable(endpoints)} cannot be asked: ${printable(problem)}`
  const ours = own.length === 0 ? 'none of this node' : `of this node ${own.map((key) => printable(key)).join(', ')}`
  return `${printable(endpoints)}: ${counted(leases ?? 0, 'lease')}, ${ours}`
}
