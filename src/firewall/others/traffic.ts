import type { Family } from '../../net/ip.ts'
import { prefixCovers, prefixesOverlap, type Prefix } from '../../net/prefix.ts'

/** One end of the packets meant: all of `within`, but for `except`. */
export interface Side {
  readonly within: Prefix
  readonly except?: Prefix | undefined
}

/** Packets, as far as they are known: the first ones of new connections, that nobody has marked or sent elsewhere (DNAT). */
export interface Traffic {
  readonly family: Family
  /** Undefined: not known. */
  readonly input: string | undefined
  readonly output: string | undefined
  readonly source: Side
  readonly destination: Side
  readonly protocol: 'tcp' | 'udp'
  readonly destinationPort: number | undefined
}

/** Whether something is so of all the packets meant (`yes`), of none (`no`), or cannot be said of all alike. */
export type Truth = 'yes' | 'no' | 'maybe'

/** What a rule asks of a packet. */
export type Condition = (traffic: Traffic) => Truth

export const truth = (isSo: boolean): Truth => (isSo ? 'yes' : 'no')

export const not = (one: Truth): Truth => (one === 'maybe' ? one : truth(one === 'no'))

export const negatedIf = (isNegated: boolean, condition: Condition): Condition =>
  isNegated ? (traffic) => not(condition(traffic)) : condition

export const maybe: Condition = () => 'maybe'

/** All of them. */
export function all(truths: readonly Truth[]): Truth {
  if (truths.includes('no')) return 'no'
  return truth(!truths.includes('maybe')) === 'yes' ? 'yes' : 'maybe'
}

/** One of them at least. */
export function any(truths: readonly Truth[]): Truth {
  if (truths.includes('yes')) return 'yes'
  return truths.includes('maybe') ? 'maybe' : 'no'
}

export function isWithin({ within, except }: Side, network: Prefix): Truth {
  if (within.family !== network.family) return 'no'
  if (prefixCovers(network, within)) return 'yes'
  const isElsewhere = !prefixesOverlap(network, within) || (except !== undefined && prefixCovers(except, network))
  return isElsewhere ? 'no' : 'maybe'
}

/** @param pattern an interface's name; with `wildcard` at its end, what its name begins with */
export function isInterface(name: string | undefined, pattern: string, wildcard: string): Truth {
  if (name === undefined) return pattern === wildcard ? 'yes' : 'maybe'
  return truth(pattern.endsWith(wildcard) ? name.startsWith(pattern.slice(0, -wildcard.length)) : name === pattern)
}
