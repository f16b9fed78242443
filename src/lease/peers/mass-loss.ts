/** A list that lacks this many of the known peers at once tells of the store, not of the peers. */
const SUSPICIOUS_SHARE = 0.5
const SUSPICIOUS_COUNT = 3

/**
 * Whether `missing` of `known` peers (we are none of them) vanishing between two lists, or in one revision, is the store's doing.
 * @param ownToo whether our own lease vanished with them. We know that we live, so in a small overlay, too, half of the peers tell.
 */
export const isMassLoss = (missing: number, known: number, ownToo: boolean): boolean =>
  ownToo
    ? missing >= 1 && missing >= known * SUSPICIOUS_SHARE
    : missing >= SUSPICIOUS_COUNT && missing > known * SUSPICIOUS_SHARE
