import { familyOfDevice } from '../../kernel/marks.ts'
import type { Family } from '../../net/ip.ts'

/**
 * The conditions that there are, by name, in the order in which one follows from another: without an underlay there is no store, without
 * that no configuration, without that no lease, without that no device, without that nothing is forwarded, and before that is so no
 * subnet file is written. That peers do not answer is what all that keeps packets from them looks like, and is said behind it.
 */
const CAUSES_FIRST: readonly RegExp[] = [
  /^underlay( of IPv[46])?$/,
  /^IPv[46] underlay( address| link)?$/,
  /^neighbour table of IPv[46]$/, // to the store, too, packets get lost
  /^certificates of etcd$/,
  /^(etcd|Kubernetes API)$/,
  /^rights in etcd$/,
  /^network configuration$/,
  /^lease$/,
  /^list of (leases|Nodes)$/,
  /^peer filter$/, // no device is made before it stands
  /^device /,
  /^forwarding( of IPv[46])?$/,
  /^tables of IPv[46]$/,
  /^routes to peers of IPv[46]$/,
  /^peers of IPv[46]$/,
  /^networks of this host$/,
  /^net\./, // settings of the host
  /^firewall$/,
  /^(drops|masquerading) of others$/,
  /^table of connections$/,
  /^(podCIDRs of Nodes|condition of our Node|overwrites of our addresses)$/,
  /^checksums$/,
  /^(answers of|losses to|packet size to) peers over IPv[46]$/, // what all of the above does to packets
  /^container bridge$/,
  /^variants of iptables$/,
  /^subnet file$/,
]

/** Where a condition stands among others: what they follow from has a lower rank. Those that nothing follows from come last. */
export function causeRank(what: string): number {
  const rank = CAUSES_FIRST.findIndex((name) => name.test(what))
  return rank === -1 ? CAUSES_FIRST.length : rank
}

/** The address family that a condition is of, by its name; undefined: of the node as a whole. */
export function familyOfCondition(what: string): Family | undefined {
  const [, device] = /^device (\S+)$/.exec(what) ?? []
  if (device !== undefined) return familyOfDevice(device)
  const [, family] = /\bip(?=v[46]\b)v([46])/i.exec(what) ?? []
  return family === undefined ? undefined : family === '4' ? 4 : 6
}

/** Those without which no packet of the overlay leaves this host, or none leaves it as it should. */
const CARRIERS = /^(underlay$|IPv[46] underlay|device |forwarding|net\.)/

/** Whether, while a condition fails with the effect `unready`, nobody can say that forwarding goes on. */
export const stopsForwarding = (what: string): boolean => CARRIERS.test(what)
