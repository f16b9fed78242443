import { describeWay, isRightWay } from '../kernel/route-way.ts'
import type { RouteAnswer } from '../kernel/kernel.ts'
import { ROUTE_PROTOCOL } from '../kernel/marks.ts'
import type { Prefix } from '../net/prefix.ts'
import type { KernelFacts, Step, TraceFacts, TracedPeer } from './facts.ts'
import { firewallStep } from './firewall-step.ts'
import { probeStep } from './probe-step.ts'

/** The way to a peer, one thing after the other, each as it was found. Pure. */
export function steps(facts: TraceFacts): readonly Step[] {
  const { peer, kernel } = facts
  const isDirect = goesDirectly(peer, kernel)
  const tunnel = isDirect
    ? []
    : peer.carried === undefined
      ? [deviceStep(facts), neighbourStep(facts), fdbStep(facts)]
      : [carriedDeviceStep(facts)]
  const route = routeStep(facts, isDirect)
  return [leaseStep(facts), ...tunnel, route, firewallStep(facts), underlayStep(facts), probeStep(facts)]
}

const right = (name: Step['name'], found: string): Step => ({ name, is: 'right', found, cure: [] })
const wrong = (name: Step['name'], found: string, ...cure: readonly string[]): Step => ({
  name,
  is: 'wrong',
  found,
  cure,
})

/** By a route over the underlay, without a tunnel: the backend has no device, or DirectRouting has made one. */
function goesDirectly({ publicIp, vni, carried }: TracedPeer, { toContainer, device }: KernelFacts): boolean {
  if (carried !== undefined) return false
  if (vni === undefined) return true
  if (toContainer.is === 'none') return false
  const { gateway, linkIndex } = toContainer.route
  return gateway?.text === publicIp.text && linkIndex !== device?.index
}

const backendOf = ({ backendType, carried }: TracedPeer): string =>
  backendType || (carried === undefined ? 'no backend' : 'udp (a lease without BackendType)')

function leaseStep({ peer, rejected }: TraceFacts): Step {
  const { key, publicIp, mac, source } = peer
  const found = `${key} of ${peer.name} at ${publicIp.text}${mac === undefined ? '' : `, VtepMAC ${mac}`}, ${backendOf(peer)} (says ${source})`
  if (rejected === undefined) return right('lease', found)
  return wrong('lease', `${found}; not used: ${rejected}`, 'flanneld leases', `on ${peer.name}: flanneld status`)
}

/** What brings about again what is missing. */
const MENDERS: Readonly<Record<TraceFacts['agent'], string>> = {
  here: 'the agent puts it back by itself; if it does not stay, somebody undoes it: flanneld status says who or why',
  silent: 'systemctl restart flanneld',
  away: 'systemctl start flanneld',
}
const UNUSED = 'nothing is put there for a lease that is not used: the first line says why'
const mender = ({ agent, rejected }: TraceFacts): string => (rejected === undefined ? MENDERS[agent] : UNUSED)

function deviceStep(facts: TraceFacts): Step {
  const { device, deviceName = '' } = facts.kernel
  if (device === undefined) return wrong('device', `there is no ${deviceName}`, mender(facts))
  const { vxlan, mac, mtu, up } = device
  const found = `${device.name} ${mac ?? ''} mtu ${mtu} ${vxlan === undefined ? `(${device.kind ?? 'no tunnel'})` : `vxlan id ${vxlan.vni} dstport ${vxlan.port}${vxlan.local === undefined ? '' : ` local ${vxlan.local.text}`}`}`
  if (vxlan === undefined || vxlan.vni !== facts.peer.vni)
    return wrong('device', `${found}: not VXLAN with VNI ${String(facts.peer.vni)}`, mender(facts))
  return up ? right('device', found) : wrong('device', `${found}: it is down`, `ip link set ${device.name} up`)
}

/** It goes with the agent, which has the peers in a table of its own. */
function carriedDeviceStep(facts: TraceFacts): Step {
  const { device, deviceName = '' } = facts.kernel
  if (device === undefined) return wrong('device', `there is no ${deviceName}`, mender(facts))
  const found = `${device.name} mtu ${device.mtu} (${device.kind ?? 'no tunnel'}), whose packets flanneld carries`
  return device.up ? right('device', found) : wrong('device', `${found}: it is down`, mender(facts))
}

function neighbourStep(facts: TraceFacts): Step {
  const { peer, kernel } = facts
  const [address, mac, name] = [peer.subnet.base.text, peer.mac ?? '', kernel.deviceName ?? '']
  const row = kernel.tables.neighbours.find((one) => one.ip.text === address)
  if (row === undefined) return wrong('neighbour', `${address} dev ${name} is not there`, mender(facts))
  const found = `${address} dev ${name} lladdr ${row.mac ?? 'none'}${row.permanent ? ' PERMANENT' : ''}`
  if (row.mac === mac && row.permanent) return right('neighbour', found)
  return wrong('neighbour', `${found}; it should be lladdr ${mac} PERMANENT`, mender(facts))
}

function fdbStep(facts: TraceFacts): Step {
  const { peer, kernel } = facts
  const [mac, name] = [peer.mac ?? '', kernel.deviceName ?? '']
  const rows = kernel.tables.fdb.filter((one) => one.mac === mac)
  if (rows.length === 0) return wrong('fdb', `${mac} dev ${name} is not there`, mender(facts))
  const found = rows.map(({ remote }) => `${mac} dev ${name} dst ${remote?.text ?? 'none'}`).join(' and ')
  const isRight =
    rows.length === 1 && rows.every((row) => row.remote?.text === peer.publicIp.text && row.astray !== true)
  if (isRight) return right('fdb', found)
  return wrong('fdb', `${found}; it should be dst ${peer.publicIp.text} alone`, mender(facts))
}

const nameIn =
  ({ links }: KernelFacts) =>
  (index: number): string =>
    links.get(index)?.name ?? `link ${index}`

function routeStep(facts: TraceFacts, isDirect: boolean): Step {
  const { peer, kernel } = facts
  const answer = kernel.toContainer
  const underlay = isDirect && answer.is === 'route' ? answer.route.linkIndex : undefined
  const found = wayOf(answer, kernel)
  if (isRightWay(answer, peer, { device: kernel.device?.index, underlay, oneRoute: oneRouteTo(peer, answer) }))
    return right('route', `${found}${isDirect ? ' (directly over the underlay)' : ''}`)
  const ours = peer.carried?.network ?? peer.subnet
  const missing = answer.is === 'none' || answer.route.destination.length < ours.length
  const device = `dev ${kernel.deviceName ?? ''}`
  const tunnelled = peer.carried === undefined ? `via ${peer.subnet.base.text} ${device} onlink` : device
  const way = isDirect ? `via ${peer.publicIp.text}` : tunnelled
  return wrong(
    'route',
    `packets to ${peer.subnet.text} follow ${found}; they should go ${way}`,
    ...(missing
      ? [mender(facts)]
      : ['remove that route or rule, or give it other destinations', ...showing(answer, peer)]),
  )
}

/** Where no agent says which network it is, the route that is ours tells. */
function oneRouteTo({ carried }: TracedPeer, answer: RouteAnswer): Prefix | undefined {
  if (carried === undefined || carried.network !== undefined || answer.is === 'none') return carried?.network
  return answer.route.protocol === ROUTE_PROTOCOL ? answer.route.destination : undefined
}

const showing = (answer: RouteAnswer, { subnet, family }: TracedPeer): readonly string[] => {
  const v6 = family === 6 ? ' -6' : ''
  const table = answer.is === 'route' ? answer.route.table : 'main'
  return [`ip${v6} route show table ${table} ; ip${v6} rule show ; ip${v6} route get ${subnet.base.text}`]
}

const wayOf = (answer: RouteAnswer, kernel: KernelFacts): string => describeWay(answer, nameIn(kernel), kernel.rules)

function underlayStep({ peer, kernel }: TraceFacts): Step {
  const { toPublicIp, device } = kernel
  const to = peer.publicIp.text
  const show = `ip${peer.family === 6 ? ' -6' : ''} route get ${to}`
  const found = `${to}: ${wayOf(toPublicIp, kernel)}`
  if (toPublicIp.is === 'none' || toPublicIp.route.type !== 'unicast')
    return wrong('underlay', found, `a route to ${to} is needed: ${show}`)
  const link = kernel.links.get(toPublicIp.route.linkIndex ?? 0)
  if (link !== undefined && link.index === device?.index)
    return wrong(
      'underlay',
      `${found}: into the tunnel itself`,
      `a route to ${to} over the underlay is needed: ${show}`,
    )
  if (link !== undefined && !link.up)
    return wrong('underlay', `${found}: ${link.name} is down`, `ip link set ${link.name} up`)
  if (link !== undefined && !link.carrier)
    return wrong(
      'underlay',
      `${found}: ${link.name} has no carrier`,
      `look at the cable or the switch of ${link.name}: ip link show ${link.name}`,
    )
  return right('underlay', found)
}
