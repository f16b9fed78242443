import type { Family } from '../net/ip.ts'
import type { Kernel, LinkState, RouteState } from '../kernel/kernel.ts'
import { spelled, type SettingName } from './sysctl.ts'

/*
 * What the kernel asks before it passes a packet on (measured on 6.18): of IPv4, the setting of the interface that the packet came in
 * by, and nothing else; writing ip_forward sets those of all interfaces, and that of interfaces to come. Of IPv6, conf.all.forwarding
 * alone: an interface's own says only whether it heeds routers.
 */

/** Whether the host passes packets on between its interfaces (Documentation/networking/ip-sysctl.rst of the kernel). */
const FORWARDING: Readonly<Record<Family, SettingName>> = {
  4: ['net', 'ipv4', 'ip_forward'],
  6: ['net', 'ipv6', 'conf', 'all', 'forwarding'],
}
/** Whether bridged packets pass the firewall's rules as well; there only when br_netfilter is loaded. */
const BRIDGE_FILTER: Readonly<Record<Family, SettingName>> = {
  4: ['net', 'bridge', 'bridge-nf-call-iptables'],
  6: ['net', 'bridge', 'bridge-nf-call-ip6tables'],
}
/** accept_ra: heed router advertisements unless the host forwards; heed them although it does. */
const UNLESS_FORWARDING = '1'
const ALWAYS = '2'

/** What this needs of the host. */
export interface ForwardingPorts {
  readonly kernel: Pick<Kernel, 'links' | 'routes'>
  /** Undefined when there is no such setting. Rejects with Node's own error. */
  readonly readSysctl: (name: SettingName) => Promise<string | undefined>
  readonly setSysctl: (name: SettingName, value: string) => Promise<void>
}

/** What {@link turnOn} did. */
export interface TurnedOn {
  /** Interfaces that would have lost their default route, and were told to keep heeding router advertisements. */
  readonly keptRouters: readonly string[]
}

export const forwardingName = (family: Family): string => spelled(FORWARDING[family])

/** Whether IPv4 packets that come in by this interface are passed on: not, where conf.default.forwarding was 0 when it was made. */
const forwardingFrom = (link: string): SettingName => ['net', 'ipv4', 'conf', link, 'forwarding']

export const nameOfForwardingFrom = (link: string): string => spelled(forwardingFrom(link))

/** @throws the file system's own error */
export const isOn = async (family: Family, { readSysctl }: ForwardingPorts): Promise<boolean> => {
  const value = await readSysctl(FORWARDING[family])
  return value !== undefined && value !== '0'
}

/** Undefined while there is no such interface. @throws the file system's own error */
export const isOnFrom = async (
  link: string,
  { readSysctl }: Pick<ForwardingPorts, 'readSysctl'>,
): Promise<boolean | undefined> => {
  const value = await readSysctl(forwardingFrom(link))
  return value === undefined ? undefined : value !== '0'
}

/**
 * Lets the host forward. A kernel that forwards IPv6 no longer heeds router advertisements, and drops the default routes it has from
 * them, where accept_ra is 1: on the interfaces that have such a route, that is made 2 before.
 * @throws the file system's own error; {KernelError}
 */
export async function turnOn(family: Family, ports: ForwardingPorts, signal: AbortSignal): Promise<TurnedOn> {
  const keptRouters = family === 6 ? await keepRouters(ports, signal) : []
  await ports.setSysctl(FORWARDING[family], '1')
  return { keptRouters }
}

/** Has what comes in by this interface passed on. @throws the file system's own error */
export const turnOnFrom = (link: string, { setSysctl }: Pick<ForwardingPorts, 'setSysctl'>): Promise<void> =>
  setSysctl(forwardingFrom(link), '1')

async function keepRouters(ports: ForwardingPorts, signal: AbortSignal): Promise<readonly string[]> {
  const routes = await ports.kernel.routes(6, signal)
  const kept: string[] = []
  for (const name of advertisedThrough(routes, await ports.kernel.links(signal))) {
    const setting = ['net', 'ipv6', 'conf', name, 'accept_ra']
    if ((await ports.readSysctl(setting)) !== UNLESS_FORWARDING) continue
    await ports.setSysctl(setting, ALWAYS)
    kept.push(name)
  }
  return kept
}

/** Names of the links with a default route that a router has advertised. Pure. */
function advertisedThrough(routes: readonly RouteState[], links: readonly LinkState[]): readonly string[] {
  const indexes = new Set(
    routes
      .filter(({ protocol, destination }) => protocol === 'ra' && destination.length === 0)
      .map(({ linkIndex }) => linkIndex),
  )
  return links.filter(({ index }) => indexes.has(index)).map(({ name }) => name)
}

/**
 * Why bridged packets do not pass the firewall; undefined when those of all families do.
 * @throws the file system's own error
 */
export async function bridgeEscape(
  families: readonly Family[],
  { readSysctl }: Pick<ForwardingPorts, 'readSysctl'>,
): Promise<string | undefined> {
  for (const family of families) {
    const value = await readSysctl(BRIDGE_FILTER[family])
    if (value === undefined) return 'br_netfilter is not loaded'
    if (value === '0') return `${spelled(BRIDGE_FILTER[family])} is 0`
  }
  return undefined
}
