/*
 * What is known of the peer filter, and what keeps it from being put right, as states with all that leads from one to the other. Pure:
 * PeerFilterTask holds them, and does what they ask for.
 */

export type Filter =
  /** It has never stood, so nothing is forwarded. `lookedAtMs`: its addresses have been compared since the last failure. */
  | { readonly is: 'not yet'; readonly lookedAtMs: number }
  /** As we think it is, rules and addresses, as of the last full look, in milliseconds on the monotonic clock. */
  | { readonly is: 'standing'; readonly lookedAtMs: number }
  /** It has stood. What stands now may be other than we think. */
  | { readonly is: 'in doubt' }

export type Hold =
  | { readonly is: 'none' }
  /** Somebody keeps undoing it, and it is restored ever more slowly. `why` in words for the status. */
  | { readonly is: 'flapping'; readonly why: string }
  /** nft refuses; a look is worth nothing before `untilMs`. `why` as for flapping, which goes on behind it. */
  | { readonly is: 'failing'; readonly times: number; readonly untilMs: number; readonly why: string | undefined }

export const NOT_YET: Filter = { is: 'not yet', lookedAtMs: Number.NEGATIVE_INFINITY }
export const NO_HOLD: Hold = { is: 'none' }

export const hasStood = ({ is }: Filter): boolean => is !== 'not yet'

/** The addresses have been compared with those that should be let in, or written. */
export const looked = (filter: Filter, nowMs: number): Filter =>
  hasStood(filter) ? { is: 'standing', lookedAtMs: nowMs } : { is: 'not yet', lookedAtMs: nowMs }

/** All of it is there. */
export const stood = (filter: Filter): Filter =>
  filter.is === 'not yet' ? { is: 'standing', lookedAtMs: filter.lookedAtMs } : filter

/** A call to it failed: how far it came is not known. */
export const doubted = (filter: Filter): Filter => (hasStood(filter) ? { is: 'in doubt' } : NOT_YET)

/** Whether the addresses are to be read as well. */
export const needsFullLook = (filter: Filter, nowMs: number, everyMs: number): boolean =>
  filter.is !== 'standing' || nowMs - filter.lookedAtMs >= everyMs

export const failed = (hold: Hold, untilMs: number): Hold => ({
  is: 'failing',
  times: failures(hold) + 1,
  untilMs,
  why: whyHeld(hold),
})

/** A call succeeded: what flapped behind the failures still does. */
export const recovered = (hold: Hold): Hold => flapping(NO_HOLD, whyHeld(hold))

/** `why` undefined: it flaps no more. */
export function flapping(hold: Hold, why: string | undefined): Hold {
  if (hold.is === 'failing') return { ...hold, why }
  return why === undefined ? NO_HOLD : { is: 'flapping', why }
}

export const whyHeld = (hold: Hold): string | undefined => (hold.is === 'none' ? undefined : hold.why)

/** How often in a row it has failed. */
export const failures = (hold: Hold): number => (hold.is === 'failing' ? hold.times : 0)
