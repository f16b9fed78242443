import { SUBNET_FILE } from '../lab/index.ts'
import { ETCD_PREFIX } from '../lab/lab.ts'
import type { Lab, LabHost } from '../lab/index.ts'
import type { ReadLease } from '../lab/expected-tables.ts'
import { upstreamRules, type UpstreamRules } from './upstream-rules.ts'
import { DEVICE, DEVICE6 } from '../lab/use-lab.ts'

/** As upstream grants it, in seconds. */
const LEASE_TTL = 86_400

/** How upstream leads packets to peers: by a device, by a device that nobody needs on one switch (DirectRouting), or without one. */
export type UpstreamWay = 'vxlan' | 'direct' | 'host-gw'

/** One node as upstream has made it, in one family or both. */
export interface UpstreamNode {
  readonly v4: ReadLease
  readonly v6?: ReadLease
}

export interface UpstreamLegacy {
  readonly own: UpstreamNode
  readonly peers: readonly UpstreamNode[]
  readonly way?: UpstreamWay
  /** Its firewall rules, with masquerading; none when absent. */
  readonly rules?: UpstreamRules
}

const familiesOf = ({ v4, v6 }: UpstreamNode): readonly (readonly [4 | 6, ReadLease])[] => [
  [4, v4],
  ...(v6 === undefined ? [] : ([[6, v6]] as const)),
]
const deviceOf = (family: 4 | 6): string => (family === 4 ? DEVICE : DEVICE6)

/** The value of a lease as upstream (0.20 and later) writes it, member by member. */
export function upstreamValue({ v4, v6 }: UpstreamNode, way: UpstreamWay = 'vxlan'): string {
  const data = ({ mac }: ReadLease): string => `{"VNI":100,"VtepMAC":"${mac}"}`
  const isVxlan = way !== 'host-gw'
  return [
    `{"PublicIP":"${v4.publicIp}","PublicIPv6":${v6 === undefined ? 'null' : `"${v6.publicIp}"`}`,
    `"BackendType":"${isVxlan ? 'vxlan' : 'host-gw'}"`,
    ...(isVxlan ? [`"BackendData":${data(v4)}`] : []),
    ...(isVxlan && v6 !== undefined ? [`"BackendV6Data":${data(v6)}`] : []),
  ]
    .join(',')
    .concat('}')
}

/** Its name below PREFIX/subnets/. */
export const upstreamLeaseName = (node: UpstreamNode): string =>
  familiesOf(node)
    .map(([, { subnet }]) => subnet.replace('/', '-'))
    .join('&')

export function upstreamSubnetFile({ own: { v4, v6 }, way, rules }: Omit<UpstreamLegacy, 'peers'>): string {
  const lines = [
    'FLANNEL_NETWORK=10.0.0.0/8',
    `FLANNEL_SUBNET=${v4.base.replace(/0$/, '1')}/20`,
    ...(v6 === undefined ? [] : ['FLANNEL_IPV6_NETWORK=fd00:10::/48', `FLANNEL_IPV6_SUBNET=${v6.base}1/64`]),
    `FLANNEL_MTU=${way === 'host-gw' ? 1500 : 1450}`,
    `FLANNEL_IPMASQ=${rules !== undefined}`,
  ]
  return lines.map((line) => `${line}\n`).join('')
}

/** Commands by which a route to a peer comes about as upstream makes it: of protocol boot, without a metric. */
export const upstreamRoutes = (peers: readonly UpstreamNode[], way: UpstreamWay = 'vxlan'): readonly string[] =>
  peers.flatMap(familiesOf).map(([family, { subnet, base, publicIp }]) => {
    const path = way === 'vxlan' ? `via ${base} dev ${deviceOf(family)} onlink` : `via ${publicIp} dev eth0`
    return `route replace ${subnet} ${path}`
  })

function deviceCommands(family: 4 | 6, { mac, publicIp, base }: ReadLease): readonly string[] {
  const device = deviceOf(family)
  const length = family === 4 ? 32 : 128
  return [
    `link add ${device} address ${mac} mtu 1450 type vxlan id 100 local ${publicIp} dev eth0 dstport 8472 nolearning`,
    `address add ${base}/${length} dev ${device}${family === 6 ? ' nodad' : ''}`,
    `link set ${device} up`,
  ]
}

/** Makes what leads packets to peers: device and tables. */
async function leavePaths({ place }: LabHost, { own, peers, way = 'vxlan' }: UpstreamLegacy): Promise<void> {
  const tunnelled = way === 'vxlan' ? peers.flatMap(familiesOf) : []
  const devices = way === 'host-gw' ? [] : familiesOf(own)
  await place.ipBatch([
    ...devices.flatMap(([family, part]) => deviceCommands(family, part)),
    ...tunnelled.map(
      ([family, { base, mac }]) => `neighbour replace ${base} lladdr ${mac} dev ${deviceOf(family)} nud permanent`,
    ),
    ...upstreamRoutes(peers, way),
  ])
  for (const [family] of devices)
    await place.exec('sh', ['-c', `echo 0 >/proc/sys/net/ipv6/conf/${deviceOf(family)}/accept_ra`])
  for (const [family, { mac, publicIp }] of tunnelled)
    await place.exec('bridge', ['fdb', 'append', mac, 'dev', deviceOf(family), 'dst', publicIp, 'self', 'permanent'])
}

/** Makes on a host, by hand, what upstream's flanneld leaves behind there when it ends: device, tables, rules, file and lease. */
export async function leaveUpstreamBehind(lab: Lab, host: LabHost, legacy: UpstreamLegacy): Promise<void> {
  const { own, way, rules } = legacy
  const { place } = host
  await leavePaths(host, legacy)
  if (rules !== undefined)
    for (const [family, { subnet }] of familiesOf(own))
      await place.exec('sh', ['-ec', upstreamRules(rules, family, subnet)])
  await place.exec('mkdir', ['-p', '/run/flannel'])
  await place.exec('tee', [SUBNET_FILE], { input: upstreamSubnetFile(legacy) })
  const [, id = ''] = /^lease (\w+) granted/.exec(await lab.etcdctl('lease', 'grant', `${LEASE_TTL}`)) ?? []
  const key = `${ETCD_PREFIX}/subnets/${upstreamLeaseName(own)}`
  await lab.etcdctl('put', `--lease=${id}`, key, '--', upstreamValue(own, way))
}
