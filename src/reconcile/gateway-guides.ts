import { hostPrefix } from '../net/prefix.ts'
import { NO_ROWS, type LinkRows, type RouteEntry } from './entries.ts'
import type { KernelError } from '../kernel/kernel.ts'
import type { LinkTables } from './link-tables.ts'

/**
 * What leads IPv6 gateways to our device while routes of other links cover them: the kernel takes no onlink gateway that another device
 * leads to (net/ipv6/route.c: ip6_route_check_nh_onlink). IPv4 has no such rule.
 */
export const gatewayRows = ({ routes }: LinkRows): LinkRows => ({
  ...NO_ROWS,
  routes: routes.flatMap((row) =>
    row.gateway?.family === 6
      ? [{ ...row, destination: hostPrefix(row.gateway), gateway: undefined, onlink: false }]
      : [],
  ),
})

/** Leads gateways to our device where the kernel has refused peers' routes for want of that, until these stand. */
export class GatewayGuides {
  readonly #device: Pick<LinkTables, 'change' | 'isSettled'>
  readonly #guided = new Map<string, LinkRows>()

  constructor(device: Pick<LinkTables, 'change' | 'isSettled'>) {
    this.#device = device
  }

  /** The kernel has refused a row of a peer that wants these on our device. @returns whether it is worth another attempt at once */
  answer(peer: string, rows: LinkRows, { op, code }: KernelError): boolean {
    const guides = gatewayRows(rows)
    if (op !== 'route.replace' || code !== 'EINVAL' || guides.routes.length === 0 || this.#guided.has(peer))
      return false
    this.#guided.set(peer, rows)
    const routes = { ...NO_ROWS, routes: rows.routes }
    // rows are sent in the order in which they came to be wanted: what leads to gateways before what goes through them
    this.#device.change(peer, routes, NO_ROWS)
    this.#device.change(peer, NO_ROWS, guides)
    this.#device.change(peer, NO_ROWS, routes)
    return true
  }

  /** The peer wants other entries, or none. */
  end(peer: string): void {
    const rows = this.#guided.get(peer)
    if (rows === undefined) return
    this.#guided.delete(peer)
    this.#device.change(peer, gatewayRows(rows), NO_ROWS)
  }

  /** What has to stand before the peer's routes can; undefined: nothing that is missing. */
  awaitedBy(peer: string): RouteEntry | undefined {
    const rows = this.#guided.get(peer)
    return rows && gatewayRows(rows).routes.find((row) => !this.#device.isSettled({ ...NO_ROWS, routes: [row] }))
  }

  /** Gives up what leads to the gateways of routes that stand. */
  endSettled(): void {
    for (const [peer, rows] of this.#guided) if (this.#device.isSettled(rows)) this.end(peer)
  }
}
