import { BACKEND_TYPE } from '../backend/vxlan/peer-entries.ts'
import { decodeVtepData } from '../backend/vxlan/backend-data.ts'
import { VXLAN_DEFAULTS } from '../config/backend.ts'
import { decodeLease } from '../lease/codec.ts'
import type { Lease, LeaseFamily, PeerRecord } from '../lease/lease.ts'
import { parseIp } from '../net/ip.ts'
import { parseMac } from '../net/mac.ts'
import { parsePrefix, prefixContains, prefixCovers } from '../net/prefix.ts'
import type { PeerStatus } from '../status/document.ts'
import type { TracedPeer } from './facts.ts'

/** The peers of the store that a name, address or subnet stands for, one for each address family. Leases that cannot be read are none. @param source the store, in words */
export function findInStore(records: readonly PeerRecord[], word: string, source: string): readonly TracedPeer[] {
  return records.flatMap((record) => {
    const lease = decodeLease(record)
    if ('rejected' in lease) return []
    const isNamed = isNameOf(lease, word)
    return lease.families.filter((part) => isNamed || isMeant(part, word)).map((part) => traced(lease, part, source))
  })
}

const isNameOf = ({ key, node }: Lease, word: string): boolean =>
  key === word || (node !== undefined && (node.hostname === word || node.id === word))

function isMeant({ subnet, publicIp }: Pick<LeaseFamily, 'subnet' | 'publicIp'>, word: string): boolean {
  const address = parseIp(word)
  if (address !== undefined) return publicIp.text === address.text || prefixContains(subnet, address)
  const prefix = parsePrefix(word)
  return prefix !== undefined && prefixCovers(subnet, prefix)
}

function traced(lease: Lease, { family, subnet, publicIp, backendData }: LeaseFamily, source: string): TracedPeer {
  const vtep = lease.backendType === BACKEND_TYPE ? vtepOf(backendData) : undefined
  return {
    ...{ family, subnet, publicIp, key: lease.key, backendType: lease.backendType, source },
    name: lease.node?.hostname || publicIp.text,
    mac: vtep?.mac,
    vni: vtep === undefined ? undefined : (vtep.vni ?? VXLAN_DEFAULTS.vni) /* v0.6 wrote none */,
  }
}

function vtepOf(backendData: unknown): ReturnType<typeof decodeVtepData> | undefined {
  try {
    return decodeVtepData(backendData, 'BackendData')
  } catch {
    return undefined // what is wrong with it, the agent says of the lease
  }
}

/** The same of what the agent says, for when the store cannot be asked. @param vni of this node's device */
export function findAtAgent(peers: readonly PeerStatus[], vni: number | null): readonly TracedPeer[] {
  return peers.flatMap((peer) => {
    const [subnet, publicIp] = [parsePrefix(peer.subnet), parseIp(peer.publicIp)]
    if (subnet === undefined || publicIp === undefined) return []
    const mac = peer.mac === null ? undefined : parseMac(peer.mac)
    const { family, name, key, backendType } = peer
    return [
      { family, name, key, backendType, subnet, publicIp, mac, vni: mac && (vni ?? undefined), source: 'the agent' },
    ]
  })
}

/**
 * Why the agent does not use what the store says of a peer, though nothing was rejected: in Kubernetes several Nodes may have been given one
 * podCIDR, and only one of them is a peer.
 * @param there whom the agent reaches in that subnet
 * @returns undefined: it does
 */
export function notInForce({ subnet, publicIp, mac }: TracedPeer, there: readonly PeerStatus[]): string | undefined {
  const isMac = (other: string | null): boolean => other === null || mac === undefined || other === mac
  if (there.some((peer) => peer.publicIp === publicIp.text && isMac(peer.mac))) return undefined
  const [other] = there.filter((peer) => peer.subnet === subnet.text)
  if (other === undefined) return 'the agent has no such peer, or not yet: flanneld status says what it waits for'
  return `for the agent, ${subnet.text} is ${other.name} at ${other.publicIp}${other.mac === null ? '' : `, VtepMAC ${other.mac}`}`
}
