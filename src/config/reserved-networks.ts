import { prefix, prefixesOverlap, type Prefix } from '../net/prefix.ts'

/** Networks in which no container can have an address: the kernel, or every other host, treats them in a way of their own. */
const RESERVED = [
  ['0.0.0.0/8', '"this network", RFC 791'],
  ['127.0.0.0/8', 'loopback, RFC 1122'],
  ['169.254.0.0/16', 'link-local, RFC 3927'],
  ['224.0.0.0/4', 'multicast, RFC 5771'],
  ['240.0.0.0/4', 'reserved, RFC 1112'],
  ['::/128', 'unspecified, RFC 4291'],
  ['::1/128', 'loopback, RFC 4291'],
  ['fe80::/10', 'link-local, RFC 4291'],
  ['ff00::/8', 'multicast, RFC 4291'],
] as const

const NETWORKS = RESERVED.map(([text, why]) => ({ network: prefix(text), name: `${text} (${why})` }))

/** The first reserved network that `network` has addresses of, with its reason; undefined when it has none. */
export const reservedNetwork = (network: Prefix): string | undefined =>
  NETWORKS.find((reserved) => prefixesOverlap(reserved.network, network))?.name
