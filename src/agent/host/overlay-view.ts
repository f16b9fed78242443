import type { Backend } from '../../backend/backend.ts'
import type { OverlayPart } from '../../host/container-bridge.ts'
import type { TunnelEnd } from '../../kernel/foreign-rules.ts'
import type { Underlay } from '../../kernel/underlay.ts'
import type { Family } from '../../net/ip.ts'

/** The overlay as its packets meet this host. */
export interface OverlayView {
  readonly parts: readonly OverlayPart[]
  readonly tunnels: readonly TunnelEnd[]
  /** Interfaces of others by which packets of other hosts' containers come in as they are, so that they must be passed on (IPv4). */
  readonly entrances: readonly string[]
}

export interface OverlayViewInput {
  readonly backends: readonly Backend[]
  /** The names of our devices. */
  readonly devices: ReadonlyMap<Family, string>
  /** As they are now. */
  readonly underlays: ReadonlyMap<Family, Underlay>
  /** Of the tunnels; undefined: there are none. */
  readonly port: number | undefined
  readonly hasDirectRouting: boolean
}

export function overlayView({ backends, devices, underlays, ...input }: OverlayViewInput): OverlayView {
  const parts: OverlayPart[] = []
  const tunnels: TunnelEnd[] = []
  const entrances: string[] = []
  for (const { own, routesOn } of backends) {
    const { family, network } = own.overlay
    const underlay = underlays.get(family)
    if (underlay === undefined || routesOn === 'nowhere') continue
    const { link, address } = underlay
    const device = routesOn === 'device' ? devices.get(family) : link.name
    if (device !== undefined) parts.push({ family, network, subnet: own.subnet, device })
    if (input.port !== undefined) tunnels.push({ family, link: link.name, address, network, port: input.port })
    if (family === 4 && (routesOn === 'underlay' || input.hasDirectRouting)) entrances.push(link.name)
  }
  return { parts, tunnels, entrances }
}
