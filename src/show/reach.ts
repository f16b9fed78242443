import type { Hue } from '../present/paint.ts'
import { REACHES, type Reach } from '../probe/reach.ts'
import type { PeerStatus } from '../status/document.ts'

/** How the states are put to people. */
export const WORDS: Readonly<Record<Reach, string>> = {
  reachable: 'reachable',
  lossy: 'lossy',
  mtu: 'mtu too small',
  unreachable: 'unreachable',
  unknown: 'not known yet',
}

export const HUES: Readonly<Record<Reach, Hue>> = {
  reachable: 'good',
  lossy: 'warn',
  mtu: 'warn',
  unreachable: 'bad',
  unknown: 'dim',
}

/** `2 reachable, 1 unreachable`: those that there are, the best first. */
export function reachCounts(counts: Readonly<Record<Reach, number>>): string {
  const shown = [...REACHES].reverse().filter((reach) => counts[reach] > 0)
  return shown.map((reach) => `${counts[reach]} ${WORDS[reach]}`).join(', ')
}

/** The same for each address family: `IPv4 2 reachable; IPv6 1 reachable, 1 unreachable`. Where there is one alone, it is not named. */
export const countsByFamily = (
  families: readonly { readonly family?: PeerStatus['family']; readonly byReach: Readonly<Record<Reach, number>> }[],
): string =>
  families
    .map(({ family, byReach }) => ({ name: family === undefined ? '' : `IPv${family} `, counts: reachCounts(byReach) }))
    .flatMap(({ name, counts }) => (counts === '' ? [] : [`${name}${counts}`]))
    .join('; ')

/** Whether packets are known not to arrive as they should. */
export const isBad = (reach: Reach): boolean => reach !== 'reachable' && reach !== 'unknown'
