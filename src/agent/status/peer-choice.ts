import type { ReachablePeer } from '../../backend/judge.ts'
import { parseIp } from '../../net/ip.ts'
import { parsePrefix, prefixContains, prefixCovers } from '../../net/prefix.ts'
import type { PeersView } from '../view/session-view.ts'
import { REACHES, type Reach } from '../../probe/reach.ts'
import type { PeerStatus } from '../../status/document.ts'

/** Which peers are meant. What is not set leaves none out. */
export interface PeerChoice {
  /** Of this key alone. */
  readonly key?: string
  readonly reach?: Reach
  /** A first look, by what is at hand. */
  readonly mayBe?: (key: string, peer: ReachablePeer, peers: Pick<PeersView, 'recordOf'>) => boolean
  /** A second one, at all there is to say of it. */
  readonly matches?: (status: PeerStatus) => boolean
  /** So many at most, and not all. */
  readonly first?: number
}

/**
 * Reads what somebody calls a peer by: its host name (of one with dots the first part is enough), node id or key; an address that is its
 * PublicIP or lies in its subnet, such as a container's; its subnet, or a network in which that lies.
 */
function named(of: string): PeerChoice {
  const address = parseIp(of)
  if (address !== undefined)
    return { mayBe: (_, { subnet, publicIp }) => publicIp.text === address.text || prefixContains(subnet, address) }
  const network = parsePrefix(of)
  if (network !== undefined)
    return { mayBe: (_, { subnet }) => prefixCovers(network, subnet) || prefixCovers(subnet, network) }
  const name = of.toLowerCase()
  const isName = (text: string): boolean => text.toLowerCase() === name || text.toLowerCase().split('.')[0] === name
  return {
    mayBe: (key, { node = '' }, peers) =>
      key === of || isName(node) || peers.recordOf(key)?.value.toLowerCase().includes(name) === true,
    matches: ({ name: shown, nodeId, key }) => isName(shown) || nodeId?.toLowerCase() === name || key === of,
  }
}

const isReach = (word: string): word is Reach => REACHES.some((reach) => reach === word)

/** Longest name that anything has, in UTF-16 units. */
const LONGEST = 1_024

/** Reads `of`, `reach` and `first` of a question. @returns what is wrong with them in words */
export function peerChoice(query: URLSearchParams): PeerChoice | { readonly wrong: string } {
  const [of, reach] = [query.get('of')?.trim() ?? '', query.get('reach') ?? '']
  const first = query.get('first')
  const unknown = [...query.keys()].find((name) => name !== 'of' && name !== 'reach' && name !== 'first')
  if (unknown !== undefined) return { wrong: 'there are of=, reach= and first=' }
  if (of.length > LONGEST) return { wrong: 'of= is longer than any name' }
  if (reach !== '' && !isReach(reach)) return { wrong: `reach= is one of ${REACHES.join(', ')}` }
  if (first !== null && !/^[1-9]\d{0,8}$/.test(first)) return { wrong: 'first= is a number of peers, from 1 on' }
  return {
    ...(of === '' ? {} : named(of)),
    ...(reach === '' || !isReach(reach) ? {} : { reach }),
    ...(first !== null && { first: Number(first) }),
  }
}
