import { prefixCovers, prefixOf, parsePrefix, type Prefix } from '../../net/prefix.ts'
import { parseIp } from '../../net/ip.ts'
import { DEVICE_ALIAS, familyOfDevice } from '../../kernel/marks.ts'
import type { AddressState, LinkState, RouteState } from '../../kernel/kernel.ts'
import type { StatusDocument } from '../../status/document.ts'
import type { OverlayHere } from '../view.ts'

/** The overlay as the agent says it. Pure. */
export function overlayOfStatus({ families, configuration, agent }: StatusDocument): readonly OverlayHere[] {
  return families.flatMap(({ family, subnet: subnetText, underlay, device }): readonly OverlayHere[] => {
    const subnet = parsePrefix(subnetText)
    const [address, publicIp] = [parseIp(underlay.address), parseIp(underlay.publicIp)]
    if (subnet === undefined || address === undefined || publicIp === undefined) return []
    const network = configuration?.networks.find((one) => one.family === family)?.network
    const own = parseIp(device?.address.split('/')[0] ?? '')
    return [
      {
        ...{ family, subnet, network: parsePrefix(network ?? '') },
        underlay: { interface: underlay.interface, index: underlay.index, address, publicIp },
        device:
          device === null
            ? undefined
            : {
                ...{
                  name: device.name,
                  index: device.index ?? undefined,
                  address: own ?? subnet.base,
                  mtu: device.mtu,
                },
                ...{ vni: device.vni ?? undefined, port: device.port ?? undefined },
                ...(device.forwarder === null ? {} : { carrier: agent.pid }),
              },
      },
    ]
  })
}

/** What a run of the agent has left on the host. */
export interface Left {
  readonly links: readonly LinkState[]
  readonly addresses: readonly AddressState[]
  /** Of the main table. */
  readonly routes: readonly RouteState[]
  /** As the subnet file has them. */
  readonly networks: readonly Prefix[]
  readonly subnets: readonly Prefix[]
}

/** The overlay as it stands without an agent that could say it. Pure. */
export function overlayOfHost(left: Left): readonly OverlayHere[] {
  const { links, networks } = left
  const devices = links.filter(({ name, vxlan }) => vxlan !== undefined && familyOfDevice(name) !== undefined)
  const own = devices.some(isOurs) ? devices.filter(isOurs) : devices
  const tunnels = own.flatMap((link) => tunnelOf(link, left))
  if (tunnels.length > 0) return tunnels
  return left.subnets.flatMap((subnet) => {
    const network = networks.find((one) => prefixCovers(one, subnet))
    const underlay = underlayOfDefault(left, subnet.family)
    return underlay === undefined ? [] : [{ family: subnet.family, subnet, network, underlay, device: undefined }]
  })
}

const isOurs = ({ alias }: LinkState): boolean => alias === DEVICE_ALIAS

function tunnelOf(link: LinkState, left: Left): readonly OverlayHere[] {
  const { vxlan, name } = link
  const family = familyOfDevice(name)
  const address = vxlan?.local
  const base = left.addresses.find(({ linkIndex, ip }) => linkIndex === link.index && ip.family === family)?.ip
  const carrier = left.addresses.find(({ ip }) => ip.text === address?.text)
  const index = carrier?.linkIndex ?? vxlan?.underlayIndex
  const below = left.links.find((one) => one.index === index)
  if (vxlan === undefined || family === undefined || address === undefined) return []
  if (base === undefined || below === undefined) return []
  const subnet = left.subnets.find((one) => one.family === family) ?? prefixOf(base, family === 4 ? 24 : 64)
  return [
    {
      ...{ family, subnet, network: left.networks.find((one) => prefixCovers(one, subnet)) },
      underlay: { interface: below.name, index: below.index, address, publicIp: address },
      device: { name, index: link.index, address: base, mtu: link.mtu, vni: vxlan.vni, port: vxlan.port },
    },
  ]
}

function underlayOfDefault({ routes, links, addresses }: Left, family: 4 | 6): OverlayHere['underlay'] | undefined {
  const way = routes.find(({ destination }) => destination.family === family && destination.length === 0)
  const link = links.find(({ index }) => index === way?.linkIndex)
  const address = addresses.find(
    ({ linkIndex, ip, scope }) => linkIndex === link?.index && ip.family === family && scope === 'global',
  )
  if (link === undefined || address === undefined) return undefined
  return { interface: link.name, index: link.index, address: address.ip, publicIp: address.ip }
}
