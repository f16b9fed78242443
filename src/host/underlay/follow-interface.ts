import { sameIp, type Ip } from '../../net/ip.ts'
import type { AddressState, Kernel, LinkState } from '../../kernel/kernel.ts'
import { bestAddress, isGlobal } from './best-address.ts'
import { goesBy } from './interface-candidates.ts'
import { withoutOverlay } from './overlay-addresses.ts'
import {
  underlayOn,
  NoInterfaceError,
  readHost,
  selectUnderlay,
  type Underlay,
  type HostAddresses,
  type InterfaceChoice,
  type Wanted,
} from './underlay.ts'

/** What has become of the interface in use. */
export type Whereabouts =
  /** It has the address in use. Its index, MTU and gateways may be new. */
  | { readonly is: 'there'; readonly underlay: Underlay }
  /** It is gone (`link` undefined), or has lost the address. */
  | {
      readonly is: 'lost'
      readonly link: LinkState | undefined
      /** The interface itself, if it has another address that means something beyond its link. */
      readonly renumbered: Underlay | undefined
      /** What would be chosen by somebody who starts now; undefined when nothing fits. */
      readonly alternative: Underlay | undefined
    }

/**
 * Where the interface chosen without --iface has got to, by its name: it is kept while it exists and has the address in use, wherever
 * default routes lead meanwhile, since peers know that address. Where another interface has got that address, as a bridge that was put
 * above it, that one is. Pure.
 */
export function followInterface(
  host: HostAddresses,
  choice: InterfaceChoice,
  current: Underlay,
  wanted: Wanted,
): Whereabouts {
  const around = withoutOverlay(host, wanted.overlays ?? [])
  const link = sameLink(host, current.link)
  const having = [link, ...host.links].find((one) => addressOn(around, one, current.address) !== undefined)
  const address = addressOn(around, having, current.address)
  if (having !== undefined && address !== undefined)
    return { is: 'there', underlay: underlayOn(host, having, address, choice) }
  const own = around.addresses.filter(({ linkIndex }) => linkIndex === link?.index)
  const best = bestAddress(own.filter(isGlobal), link, wanted.family)
  const renumbered = link && best && underlayOn(host, link, best, choice)
  return { is: 'lost', link, renumbered, alternative: alternativeTo(host, choice, wanted) }
}

/** By its name; one that was renamed by its former name, if that is kept as an altname, or by its index. */
const sameLink = ({ links }: HostAddresses, { name, index }: LinkState): LinkState | undefined =>
  links.find((link) => link.name === name) ??
  links.find((link) => goesBy(link, name)) ??
  links.find((link) => link.index === index)

const addressOn = (host: HostAddresses, link: LinkState | undefined, wanted: Ip): AddressState | undefined =>
  host.addresses.find(({ ip, linkIndex }) => linkIndex === link?.index && sameIp(ip, wanted))

function alternativeTo(host: HostAddresses, choice: InterfaceChoice, wanted: Wanted): Underlay | undefined {
  try {
    return selectUnderlay(host, choice, wanted)
  } catch (error) {
    if (error instanceof NoInterfaceError) return undefined
    throw error
  }
}

/**
 * What the operator insists on with --iface: it is chosen again at every look. Undefined: the interface in use is kept while it has its
 * address, so that of two which match a regular expression, or reach an address by turns, neither is left for the other.
 * @throws {NoInterfaceError} when there is nothing but --iface, and none of those fits
 */
export function insistedOn(host: HostAddresses, choice: InterfaceChoice, wanted: Wanted): Underlay | undefined {
  if (choice.ifaces.length === 0) return undefined
  if (choice.ifaceRegexes.length === 0 && choice.ifaceCanReach === undefined)
    return selectUnderlay(host, choice, wanted)
  return alternativeTo(host, { ...choice, ifaceRegexes: [], ifaceCanReach: undefined }, wanted)
}

/** As {@link chooseUnderlay}, but unless --iface says otherwise the one chosen `before` is kept while it has its address. */
export async function chooseAgain(
  kernel: Kernel,
  choice: InterfaceChoice,
  before: Underlay | undefined,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Underlay> {
  const host = await readHost(kernel, choice, wanted, signal)
  const insisted = insistedOn(host, choice, wanted)
  if (insisted !== undefined) return insisted
  const found = before && followInterface(host, choice, before, wanted)
  return found?.is === 'there' ? found.underlay : selectUnderlay(host, choice, wanted)
}
