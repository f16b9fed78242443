import { parseNetworkConfig } from '../../../src/config/network.ts'
import { decodeLease, parseLeaseKey } from '../../../src/lease/codec.ts'
import type { LeaseRecord } from '../../../src/lease/store.ts'
import type { Prefix } from '../../../src/net/prefix.ts'
import { configText } from './configuration.ts'
import type { WorldNode } from './node.ts'
import { isUndecided, overlap, overlapsOf } from './overlaps.ts'
import { allSubnets } from './upstream-node.ts'
import type { Author, LeaseWorld } from './world.ts'

/** What must not be, as far as it is, in a state in which everybody runs and nothing is under way. */
export async function faultsOf(world: LeaseWorld): Promise<readonly string[]> {
  const records = await world.stage.records()
  return [
    ...world.nodes.flatMap(({ name, failure }) =>
      failure === undefined ? [] : [`${name} gave up: ${String(failure)}`],
    ),
    ...overlapsOf(world.own, () => true).map(({ text }) => `both hold: ${text}`),
    ...world.own.flatMap((node) => unfounded(node, records)),
    ...sharedMacs(world),
    ...sharedAddresses(world),
    ...world.own.flatMap((node) => usurped(node, world, records)),
    ...idle(world, records),
  ]
}

/** What a node believes to hold must stand there, and say what it says. */
function unfounded(node: WorldNode, records: readonly LeaseRecord[]): readonly string[] {
  const { name, belief, publicIps } = node
  if (belief === undefined) return []
  const record = records.find(({ key }) => key === belief.key)
  const lease = record && decodeLease(record)
  if (lease === undefined || 'rejected' in lease) return [`${name} holds ${belief.key}, which does not stand there`]
  const isSame =
    lease.node?.id === belief.nodeId &&
    lease.families.every(({ family, publicIp }) => publicIp.text === publicIps.get(family)?.text)
  return isSame ? [] : [`${name} holds ${belief.key}, which says ${record?.value ?? ''}`]
}

function sharedMacs({ own }: LeaseWorld): readonly string[] {
  return own.flatMap((node, at) =>
    own
      .slice(at + 1)
      .filter((other) => !isUndecided(node, other))
      .flatMap((other) => {
        const shared = (node.belief?.macs ?? []).filter((mac) => other.belief?.macs.includes(mac) === true)
        return shared.map((mac) => `${node.name} and ${other.name} both publish ${mac}`)
      }),
  )
}

/** Of machines that begin with one address, all but one must wait; one that gets the address of another while it holds a lease need not. */
function sharedAddresses(world: LeaseWorld): readonly string[] {
  const holders = world.own.filter(({ belief, wasRenumbered }) => belief !== undefined && !wasRenumbered)
  return holders.flatMap((node, at) =>
    holders
      .slice(at + 1)
      .filter((other) => other.address === node.address && !isUndecided(node, other))
      .map((other) => `${node.name} and ${other.name} both hold a lease with one PublicIP`),
  )
}

/** An upstream node's lease that is older than ours, and overlaps it. */
function usurped({ name, belief }: WorldNode, world: LeaseWorld, records: readonly LeaseRecord[]): readonly string[] {
  const ours = records.find(({ key }) => key === belief?.key)
  if (belief === undefined || ours === undefined) return []
  return world.nodes.flatMap((other) => {
    if (other.isOurs || other.belief === undefined || !overlap(belief.subnets, other.belief.subnets)) return []
    const theirs = records.find(({ key }) => key === other.belief?.key)
    const isOlder = theirs !== undefined && theirs.createRevision < ours.createRevision
    return isOlder ? [`${name} holds ${belief.key} although ${other.name} had ${other.belief.key} before`] : []
  })
}

/** Who holds nothing although there is a subnet for it. One that shares its address with another may wait. */
function idle(world: LeaseWorld, records: readonly LeaseRecord[]): readonly string[] {
  const { overlays } = parseNetworkConfig(configText(world.cut))
  const isFree = (subnet: Prefix, taken: readonly Prefix[]): boolean => !overlap([subnet], taken)
  const waiting = world.own.filter(({ isRunning, belief }) => isRunning && belief === undefined)
  const taken = records.flatMap(({ key }) => parseLeaseKey(key) ?? [])
  if (!overlays.every((overlay) => allSubnets(overlay).some((subnet) => isFree(subnet, taken)))) return []
  const isAlone = (node: WorldNode): boolean =>
    !world.nodes.some((other) => other !== node && other.belief !== undefined && other.address === node.address)
  return waiting.filter(isAlone).map(({ name }) => `${name} has no lease, although there are free subnets`)
}

/** Leases that a node of ours created over what stood there already of another's, and was not for it to take. */
export function trespasses({ stage, authors }: LeaseWorld): readonly string[] {
  const standing = new Map<string, LeaseRecord>()
  const found: string[] = []
  for (const delta of stage.history) {
    if (delta.kind === 'deleted') standing.delete(delta.key)
    else {
      const { record } = delta
      if (!standing.has(record.key)) found.push(...trodden(record, [...standing.values()], authors))
      standing.set(record.key, record)
    }
  }
  return found
}

function trodden(
  { key, modRevision }: LeaseRecord,
  standing: readonly LeaseRecord[],
  authors: ReadonlyMap<bigint, Author>,
): readonly string[] {
  const author = authors.get(modRevision)
  const subnets = parseLeaseKey(key) ?? []
  if (author?.node.isOurs !== true) return []
  return standing.flatMap((other) => {
    const holder = authors.get(other.modRevision)?.node
    if (holder === undefined || author.heirOf.includes(holder) || !overlap(subnets, parseLeaseKey(other.key) ?? []))
      return []
    return [`${author.node.name} created ${key} at ${modRevision} over ${other.key} of ${holder.name}`]
  })
}
