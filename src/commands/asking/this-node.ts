import { parseIp } from '../../net/ip.ts'
import { parsePrefix, prefixContains, prefixCovers } from '../../net/prefix.ts'
import type { StatusDocument } from '../../status/document.ts'

/** Whether a name, an address or a subnet stands for the node whose status this is: its peers are the others. Pure. */
export function isThisNode({ node, lease, families }: StatusDocument, word: string): boolean {
  const name = word.toLowerCase()
  const hostname = node.hostname.toLowerCase()
  if ([hostname, hostname.split('.')[0], node.id.toLowerCase()].includes(name) || lease?.key === word) return true
  const address = parseIp(word)
  const prefix = parsePrefix(word)
  return families.some(({ subnet, underlay }) => {
    const own = parsePrefix(subnet)
    if (own === undefined) return false
    if (address === undefined) return prefix !== undefined && prefixCovers(own, prefix)
    return [underlay.address, underlay.publicIp].includes(address.text) || prefixContains(own, address)
  })
}

/** What is said to who asks a node for itself. */
export const itself = (word: string): string => `${word} is this host: flanneld status says how it is`
