import { SUBNET_FILE } from '../lab/index.ts'
import { ETCD_PREFIX } from '../lab/lab.ts'
import type { Lab, LabHost } from '../lab/index.ts'
import type { ReadLease } from './expected-tables.ts'
import { DEVICE } from './use-lab.ts'

/** As upstream grants it, in seconds. */
const LEASE_TTL = 86_400

/** The value of a lease as upstream (0.20 and later) writes it, member by member. */
export const upstreamValue = ({ publicIp, mac }: ReadLease): string =>
  `{"PublicIP":"${publicIp}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":100,"VtepMAC":"${mac}"}}`

export const upstreamSubnetFile = ({ base }: ReadLease): string =>
  `FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=${base.replace(/0$/, '1')}/20\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n`

/** Commands by which a route to a peer comes about as upstream makes it: of protocol boot, without a metric. */
export const upstreamRoutes = (peers: readonly ReadLease[]): readonly string[] =>
  peers.map(({ subnet, base }) => `route replace ${subnet} via ${base} dev ${DEVICE} onlink`)

/** Makes on a host, by hand, what upstream's flanneld leaves behind there when it ends: device, tables, file and lease. */
export async function leaveUpstreamBehind(
  lab: Lab,
  { place }: LabHost,
  own: ReadLease,
  peers: readonly ReadLease[],
): Promise<void> {
  await place.ipBatch([
    `link add ${DEVICE} address ${own.mac} mtu 1450 type vxlan id 100 local ${own.publicIp} dev eth0 dstport 8472 nolearning`,
    `address add ${own.base}/32 dev ${DEVICE}`,
    `link set ${DEVICE} up`,
    ...peers.map(({ base, mac }) => `neighbour replace ${base} lladdr ${mac} dev ${DEVICE} nud permanent`),
    ...upstreamRoutes(peers),
  ])
  for (const { mac, publicIp } of peers)
    await place.exec('bridge', ['fdb', 'append', mac, 'dev', DEVICE, 'dst', publicIp, 'self', 'permanent'])
  await place.exec('mkdir', ['-p', '/run/flannel'])
  await place.exec('tee', [SUBNET_FILE], { input: upstreamSubnetFile(own) })
  const [, id = ''] = /^lease (\w+) granted/.exec(await lab.etcdctl('lease', 'grant', `${LEASE_TTL}`)) ?? []
  const key = `${ETCD_PREFIX}/subnets/${own.subnet.replace('/', '-')}`
  await lab.etcdctl('put', `--lease=${id}`, key, '--', upstreamValue(own))
}
