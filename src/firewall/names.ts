import type { Family } from '../net/ip.ts'

/** What is ours, by the names that upstream gives it: a node can go from one to the other and find its rules. */
export const MASQUERADE_COMMENT = 'flanneld masq'
export const FORWARD_COMMENT = 'flanneld forward'

/** nftables: one table per family. */
export const NFT_TABLES: Readonly<Record<Family, { readonly family: 'ip' | 'ip6'; readonly name: string }>> = {
  4: { family: 'ip', name: 'flannel-ipv4' },
  6: { family: 'ip6', name: 'flannel-ipv6' },
}
export const NFT_POSTROUTING = 'postrtg'
export const NFT_FORWARD = 'forward'

/** iptables: a chain of ours, the built-in chain that leads there, and how both sides are commented. */
export interface OwnChain {
  readonly table: 'nat' | 'filter'
  readonly builtin: 'POSTROUTING' | 'FORWARD'
  readonly name: string
  readonly comment: string
}

export const POSTROUTING_CHAIN: OwnChain = {
  table: 'nat',
  builtin: 'POSTROUTING',
  name: 'FLANNEL-POSTRTG',
  comment: MASQUERADE_COMMENT,
}
export const FORWARD_CHAIN: OwnChain = {
  table: 'filter',
  builtin: 'FORWARD',
  name: 'FLANNEL-FWD',
  comment: FORWARD_COMMENT,
}
