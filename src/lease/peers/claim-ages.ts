import type { Revision } from '../lease.ts'
import { areClaiming, type Claims, type Thing } from './claims.ts'

/** The first revision from which a key has said a thing without a break lies between these two, both included. */
export interface Age {
  readonly from: Revision
  readonly to: Revision
}

/** Since when a key has said what it says now: names and addresses. Its subnets are as old as the key. */
export type ClaimAges = ReadonlyMap<Thing, Age>

/** Of those who claim nothing. */
export const NO_AGES: ClaimAges = new Map()

/**
 * Ages of what a record claims now. What the key has said before keeps its age, so that whoever writes the same again every day, as upstream
 * does, loses nothing.
 * @param before ages that are known of the key
 * @param otherwise the age of what it is not known to have said before
 */
export const agesOf = ({ names, addresses }: Claims, before: ClaimAges, otherwise: Age): ClaimAges =>
  new Map([...names, ...addresses.map(({ text }) => text)].map((thing) => [thing, before.get(thing) ?? otherwise]))

export const least = (a: Revision, b: Revision): Revision => (a < b ? a : b)

export const most = (a: Revision, b: Revision): Revision => (a > b ? a : b)

export const isCertain = ({ from, to }: Age): boolean => from === to

/** What a key said at a revision, as somebody has looked it up. */
export interface Testimony {
  readonly revision: Revision
  /** Undefined: nothing that counts as a claim. */
  readonly claims: Claims | undefined
  /** When that was written. */
  readonly writtenAt: Revision
}

/** What is known of the ages with it. */
export function withTestimony(ages: ClaimAges, { revision, claims, writtenAt }: Testimony): ClaimAges {
  return new Map(
    [...ages].map(([thing, { from, to }]): [Thing, Age] => {
      if (revision < from || revision >= to) return [thing, { from, to }]
      const isSaid = claims !== undefined && areClaiming(claims, thing)
      return [thing, isSaid ? { from, to: most(from, writtenAt) } : { from: revision + 1n, to }]
    }),
  )
}

/** What a key said at a revision would help to tell two ages apart. */
export interface Question {
  readonly key: string
  readonly revision: Revision
}

/** Two claims to one thing, or to things that exclude each other. */
export interface AgedClaim {
  readonly key: string
  readonly createRevision: Revision
  readonly age: Age
}

const mayBeOlder = (a: Age, b: Age): boolean => (a.from === b.from ? a.to > b.to : a.from < b.from)

/**
 * What to ask where nobody can say which of two is older. Nearly always one answer settles it: what the older key said when the younger
 * came about. Where both have changed since, each further answer halves what is open.
 * @returns undefined when it is known who is older
 */
export function questionBetween(a: AgedClaim, b: AgedClaim): Question | undefined {
  const [elder, younger] = mayBeOlder(a.age, b.age) ? [a, b] : [b, a]
  const [start, end] = [younger.age.from, least(elder.age.to, younger.age.to)]
  if (end < start || elder.age.to <= start) return undefined
  const isUntouched = elder.age.from === elder.createRevision && elder.age.from < start
  return { key: elder.key, revision: isUntouched ? start : (start + end) / 2n }
}
