import { stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { ConfigError } from '../../config/error.ts'
import { readNodeId } from '../../host/identity.ts'
import { readRegularFile } from '../../host/files/regular-file.ts'
import { parseSubnets } from '../../host/subnet-env.ts'
import type { AddressState, LinkState, RouteState } from '../../kernel/kernel.ts'
import { familyOfDevice, isTunName, ROUTE_PROTOCOL } from '../../kernel/marks.ts'
import { decodeLease } from '../../lease/codec.ts'
import { RtnetlinkKernel } from '../../netlink/rtnetlink-kernel.ts'
import type { AwayDevice, AwayDocument } from '../../show/away.ts'
import type { Asking } from '../asking/asking.ts'
import { daemonSettings } from '../settings/daemon-settings.ts'
import { agentOnThisHost } from '../this-host.ts'
import { listStore } from '../settings/list-store.ts'

/** What can be known of this host without its agent. Whatever cannot be read is left out, or said. */
export async function lookWithoutAgent(why: string, asked: Asking): Promise<AwayDocument> {
  const [devices, subnetFile, store] = await Promise.all([
    readDevices(asked.signal),
    readSubnetFile(asked),
    readStore(asked),
  ])
  return {
    ...{ version: 1, at: new Date().toISOString(), state: 'away', why, hostname: hostname() },
    ...{ pid: agentOnThisHost()?.pid ?? null, devices, subnetFile, store },
  }
}

async function readDevices(signal: AbortSignal): Promise<readonly AwayDevice[]> {
  const kernel = new RtnetlinkKernel()
  try {
    const [links, addresses] = await Promise.all([kernel.links(signal), kernel.addresses(signal)])
    const devices = links.filter(({ name }) => familyOfDevice(name) !== undefined)
    return await Promise.all(devices.map((device) => readDevice(kernel, device, addresses, signal)))
  } finally {
    kernel.close()
  }
}

async function readDevice(
  kernel: RtnetlinkKernel,
  { index, name, vxlan, mtu, up }: LinkState,
  addresses: readonly AddressState[],
  signal: AbortSignal,
): Promise<AwayDevice> {
  const { neighbours, fdb, routes } = await kernel.snapshot(index, [familyOfDevice(name) ?? 4], signal)
  return {
    ...{ name, mtu, isUp: up, isCarried: isTunName(name), vni: vxlan?.vni ?? 0, port: vxlan?.port ?? 0 },
    addresses: addresses.filter(({ linkIndex }) => linkIndex === index).map(({ ip }) => ip.text),
    neighbours: neighbours.filter(({ permanent }) => permanent).length,
    fdb: fdb.filter(({ permanent }) => permanent).length,
    routes: routes.filter(isToPeers).length,
  }
}

/** With udp, one route without a gateway leads to the whole network. */
const isToPeers = ({ gateway, protocol }: RouteState): boolean => gateway !== undefined || protocol === ROUTE_PROTOCOL

async function readSubnetFile({ own }: Asking): Promise<AwayDocument['subnetFile']> {
  try {
    const path = daemonSettings(own).options.subnetFile
    const [text, { mtime }] = await Promise.all([readRegularFile(path), stat(path)])
    return { path, subnets: parseSubnets(text).map((subnet) => subnet.text), writtenAt: mtime.toISOString() }
  } catch {
    return null // it is not there, or nothing that can be read
  }
}

async function readStore({ own, signal }: Asking): Promise<AwayDocument['store']> {
  try {
    const look = await listStore(own, signal)
    const { name, endpoints } = look
    if (look.is === 'away') return { name, endpoints, problem: look.problem, leases: null, own: [] }
    const { nodeId, kube } = daemonSettings(own).options
    const id = kube?.nodeName ?? nodeId ?? (await readNodeId().catch(() => undefined))
    const keys = look.records.flatMap((record) => {
      const lease = decodeLease(record)
      return !('rejected' in lease) && lease.node !== undefined && lease.node.id === id ? [record.key] : []
    })
    return { name, endpoints, problem: null, leases: look.records.length, own: keys }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { name: 'store', endpoints: 'it', problem: error.message, leases: null, own: [] }
  }
}
