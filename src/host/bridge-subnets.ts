import { gatewayOf } from '../config/network.ts'
import type { AddressState, LinkState } from '../kernel/kernel.ts'
import { sameIp } from '../net/ip.ts'
import { prefixOf, type Prefix } from '../net/prefix.ts'

/** Bridges that are made for containers of ours by themselves, the dearest first: Docker's own, and CNI's. */
const USUAL = ['docker0', 'cni0']

/** Bridges of other networks than flanneld's, by the names that they are given: of Docker's further ones, libvirt, LXC, LXD, Incus, Podman. */
const OF_OTHERS = /^(?:br-[0-9a-f]{12}|virbr\d+|lxcbr\d+|lxdbr\d+|incusbr\d+|(?:cni-)?podman\d+)$/

/** What Docker takes of itself for docker0, on every host alike: it tells nothing. */
const OF_DOCKER = '172.17.0.0/16'

/**
 * Subnets whose first usable address is that of a bridge on this host, as flanneld has Docker and CNI make them: where store and subnet
 * file are lost, containers that still run tell by it which subnet was ours. Pure. The dearest first.
 */
export function bridgeSubnets(links: readonly LinkState[], addresses: readonly AddressState[]): readonly Prefix[] {
  const bridges = links.filter(({ kind, name }) => kind === 'bridge' && !OF_OTHERS.test(name))
  return bridges
    .toSorted((a, b) => rank(a) - rank(b))
    .flatMap(({ index }) => addresses.filter(({ linkIndex }) => linkIndex === index))
    .flatMap(({ ip, prefixLength }) => {
      const subnet = prefixOf(ip, prefixLength)
      return sameIp(gatewayOf(subnet), ip) && subnet.text !== OF_DOCKER ? [subnet] : []
    })
}

const rank = ({ name }: LinkState): number => (USUAL.includes(name) ? USUAL.indexOf(name) : USUAL.length)
