import type { ReachablePeer } from '../../backend/judge.ts'
import type { Backend } from '../../backend/backend.ts'
import type { Ip } from '../../net/ip.ts'

/**
 * Which address of a peer is asked. Behind a device, that of its device: the base of its subnet, which upstream's nodes have there as well,
 * and answer. Without devices, peers are gateways, and what answers for sure is their PublicIP, which the routes name: their subnets
 * need not have any address that the host itself answers for. Undefined: how peers are reached is none of our business.
 */
export function echoTarget(
  { subnet, publicIp }: Pick<ReachablePeer, 'subnet' | 'publicIp'>,
  routesOn: Backend['routesOn'],
): Ip | undefined {
  if (routesOn === 'nowhere') return undefined
  return routesOn === 'device' ? subnet.base : publicIp
}
