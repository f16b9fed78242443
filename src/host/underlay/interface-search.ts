import { byDefaultRoute, named, reaching, type Candidate } from './interface-candidates.ts'
import { whyOfOverlay } from './overlay-addresses.ts'
import type { HostAddresses, InterfaceChoice, Wanted } from './underlay.ts'

/** Whether a flag says which interface it is. */
export const isChosen = ({ ifaces, ifaceRegexes, ifaceCanReach }: InterfaceChoice): boolean =>
  ifaces.length > 0 || ifaceRegexes.length > 0 || ifaceCanReach !== undefined

/**
 * What was looked for in vain, and why it does not do where that is not plain from the candidates.
 * @param all the host, with the addresses of the overlay
 */
export function describeSearch(choice: InterfaceChoice, wanted: Wanted, all: HostAddresses): string {
  const { leader: family } = wanted
  const withhold = (candidate: Candidate | undefined): string | undefined => whyWithheld(all, candidate, wanted)
  if (!isChosen(choice)) {
    const found = byDefaultRoute(all, family)
    if (found === undefined) return `there is no default IPv${family} route`
    return withhold(found) ?? `${found.link.name}, which has the default route, has no usable IPv${family} address`
  }
  const { ifaces, ifaceRegexes, ifaceCanReach } = choice
  const reason = (text: string): string => {
    const found = named(all, text)
    if (found === undefined) return `${text} is not there`
    return withhold(found) ?? `${text} has no usable IPv${family} address`
  }
  const because = (why: string | undefined): string => (why === undefined ? '' : `, for ${why}`)
  return [
    ...(ifaces.length === 0 ? [] : [`--iface fits none: ${ifaces.map(reason).join(', ')}`]),
    ...(ifaceRegexes.length === 0
      ? []
      : [`--iface-regex ${ifaceRegexes.map(({ source }) => source).join(', ')} matches none`]),
    ...(ifaceCanReach === undefined
      ? []
      : [`--iface-can-reach ${ifaceCanReach.text} leads through none${because(withhold(reaching(all, family)))}`]),
  ].join('; ')
}

/** Why what was found may not be taken: all it has is the overlay's; undefined: that is not why. */
function whyWithheld(
  host: HostAddresses,
  found: Candidate | undefined,
  { leader: family, overlays = [] }: Wanted,
): string | undefined {
  const own = host.addresses.filter(({ linkIndex, ip }) => linkIndex === found?.link.index && ip.family === family)
  const reasons = (found?.address === undefined ? own : [found.address]).map((one) => whyOfOverlay(host, one, overlays))
  return reasons.find((reason) => reason !== undefined)
}
