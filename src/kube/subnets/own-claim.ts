import { ConfigError } from '../../config/error.ts'
import type { OverlayNetwork } from '../../config/network.ts'
import { OtherAddressError } from '../../lease/errors.ts'
import { formatLeaseKey } from '../../lease/codec.ts'
import { leaseFamily, type Lease, type LeaseClaim, type LeaseFamily } from '../../lease/lease.ts'
import { claimFor, saysOthers, type LeaseTerms } from '../../lease/terms.ts'
import { isReachableUnicast, LONGEST_SUBNETS, prefixCovers, type Prefix } from '../../net/prefix.ts'
import { parseIp, sameIp, type Family, type Ip } from '../../net/ip.ts'
import type { NodeRecord } from '../nodes/node-store.ts'
import { leaseOf, NAMES, subnetsOf } from './node-claims.ts'

/** What this node is to publish on its Node, and what the operator should read of it. */
export interface OwnClaim {
  readonly claim: LeaseClaim
  readonly warnings: readonly string[]
}

/**
 * What our Node is to say. Its subnets are those that it was given; what it has said so far is kept where the terms leave it open, as is the
 * VtepMAC that peers know.
 * @throws {ConfigError} while it has no subnet in a family of ours, or one that we cannot use
 * @throws {OtherAddressError} where the terms leave our address open, and the Node says another
 */
export function ownClaim(node: NodeRecord, terms: LeaseTerms): OwnClaim {
  const current = leaseOf(node)
  const given = terms.overlays.map((overlay) => subnetFor(node, overlay, terms))
  const absent = (terms.absentOverlays ?? []).flatMap(
    ({ family }) => current?.families.find((part) => part.family === family)?.subnet ?? [],
  )
  const overwritten = overwritesOf(node)
  const subnets = [...given, ...absent].sort((a, b) => a.family - b.family)
  const plain = claimFor(terms, subnets, current)
  if (terms.isAddressOpen === true)
    refuseOtherAddresses(node, plain, terms, overwritten.size === 0 ? current : undefined)
  const families = plain.families.map((part): LeaseFamily => ({
    ...part,
    publicIp: overwritten.get(part.family) ?? part.publicIp,
  }))
  return {
    claim: { ...plain, families },
    warnings: movesOf(node, { ...plain, families }, terms),
  }
}

/** @throws {ConfigError} */
function subnetFor(node: NodeRecord, { family, network }: OverlayNetwork, { avoid }: LeaseTerms): Prefix {
  const what = `podCIDR of Node ${node.name}`
  const subnet = subnetsOf(node).find((given) => given.family === family)
  if (subnet === undefined)
    throw new ConfigError(
      what,
      `an IPv${family} subnet, which the cluster gives it: kube-controller-manager with --allocate-node-cidrs and --cluster-cidr (kubeadm: networking.podSubnet)`,
      node.podCidrs.length === 0 ? undefined : node.podCidrs.join(', '),
    )
  if (!prefixCovers(network, subnet))
    throw new ConfigError(
      what,
      `a subnet of Network ${network.text}, which is to be the cluster's --cluster-cidr`,
      subnet.text,
    )
  const longestSubnet = LONGEST_SUBNETS[family]
  if (subnet.length > longestSubnet)
    throw new ConfigError(
      what,
      `a subnet of /${longestSubnet} or larger, which has room for pods: --node-cidr-mask-size of kube-controller-manager`,
      subnet.text,
    )
  const covered = avoid.find((needed) => prefixCovers(subnet, needed))
  if (covered !== undefined)
    throw new ConfigError(what, `a subnet beside ${covered.text}, which the underlay needs`, subnet.text)
  return subnet
}

/**
 * Where the terms leave our address open: the operator chooses one of this host's, else that counts which peers know.
 * @throws {OtherAddressError}
 */
function refuseOtherAddresses(
  node: NodeRecord,
  plain: LeaseClaim,
  terms: LeaseTerms,
  current: Lease | undefined,
): void {
  const chosen = addressesIn(node, 'chosen')
  const families = plain.families.map((part): LeaseFamily => {
    const { family, publicIp } = part
    const known = current && leaseFamily(current, family)?.publicIp
    return { ...part, publicIp: chosen.get(family) ?? known ?? publicIp }
  })
  const wanted = { ...plain, key: formatLeaseKey(families.map(({ subnet }) => subnet)), families }
  if (saysOthers(wanted, terms)) throw new OtherAddressError(wanted)
}

/** What annotations say is to be published in the place of our own addresses. */
export const overwritesOf = (node: NodeRecord): ReadonlyMap<Family, Ip> => addressesIn(node, 'overwrite')

function addressesIn({ annotations }: NodeRecord, name: 'overwrite' | 'chosen'): ReadonlyMap<Family, Ip> {
  return new Map(
    ([4, 6] as const).flatMap((family) => {
      const address = parseIp(annotations[NAMES[family][name]] ?? '')
      return address?.family === family && isReachableUnicast(address) ? [[family, address] as const] : []
    }),
  )
}

/** What the operator wants published in the place of our own addresses, as it stands there. */
export const overwriteTexts = ({ annotations }: NodeRecord): string =>
  ([4, 6] as const).flatMap((family) => annotations[NAMES[family].overwrite] ?? []).join(', ')

/** Which of them are not followed, and why; undefined: none. */
export function refusedOverwrites(node: NodeRecord): string | undefined {
  const taken = overwritesOf(node)
  const refused = ([4, 6] as const).flatMap((family) => {
    const { overwrite } = NAMES[family]
    const text = node.annotations[overwrite] ?? ''
    return text === '' || taken.has(family) ? [] : [{ family, name: overwrite, text }]
  })
  const [first] = refused
  if (first === undefined) return undefined
  const said = refused.map(
    ({ family, name, text }) =>
      `annotation ${name} of Node ${node.name} is not an IPv${family} address another host can reach: ${text}`,
  )
  return `${said.join('; ')}; our own is published. Cure: kubectl annotate node ${node.name} …/${first.name}-, or an address in its place`
}

/** What has changed for containers, or for peers. */
function movesOf(node: NodeRecord, { families }: LeaseClaim, { previousSubnets }: LeaseTerms): readonly string[] {
  const before = leaseOf(node)
  return families.flatMap(({ family, subnet, publicIp }) => {
    const previous = previousSubnets.find((one) => one.family === family)
    const said = before && leaseFamily(before, family)?.publicIp
    return [
      ...(previous === undefined || previous.text === subnet.text
        ? []
        : [
            `our subnet is ${subnet.text} now, and was ${previous.text} before: containers that are still there must move`,
          ]),
      ...(said === undefined || sameIp(said, publicIp)
        ? []
        : [`our PublicIP is ${publicIp.text} now, and was ${said.text} before`]),
    ]
  })
}
