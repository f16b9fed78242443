import type { Family } from '../../net/ip.ts'
import type { Condition } from '../runtime/conditions.ts'

/** While one of these fails nothing leaves this host, which is said already; what peers answer would add nothing. */
const stops = (family: Family, device: string | undefined): ReadonlySet<string> =>
  new Set([
    ...['underlay', 'forwarding', `forwarding of IPv${family}`],
    ...['underlay', 'underlay address', 'underlay link'].map((what) => `IPv${family} ${what}`),
    ...(device === undefined ? [] : [`device ${device}`]),
  ])

/** Why peers of a family are not asked at present; undefined: they are. */
export function whyNotAsked(
  conditions: readonly Pick<Condition, 'what' | 'reason'>[],
  family: Family,
  device: string | undefined,
): string | undefined {
  if (conditions.length === 0) return undefined
  const stopping = stops(family, device)
  const found = conditions.find(({ what }) => stopping.has(what))
  return found === undefined ? undefined : `${found.what}: ${found.reason}`
}
