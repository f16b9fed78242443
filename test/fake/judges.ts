import type { PeerRecord } from '../../src/lease/lease.ts'
import type { Claims } from '../../src/lease/peers/claims.ts'
import type { Judge, PeerVerdict } from '../../src/lease/peers/peer-table.ts'

/** All that is found of a record at once: the verdict, and what it stands for. */
export type Judgement<E> =
  | { readonly accepted: E; readonly claims: Claims; readonly isSigned: boolean }
  | Exclude<PeerVerdict, { readonly accepted: unknown }>

/** A judge of whom it is told at once what is to be found of a record. @param whatever the same, by no rules that change */
export function judgeThat<E>(
  finds: (record: PeerRecord) => Judgement<E>,
  whatever: (record: PeerRecord) => Judgement<E> = finds,
): Judge<E> {
  return {
    verdict: (record) => {
      const found = finds(record)
      if (!('accepted' in found)) return found
      const { claims, isSigned } = found
      return { accepted: { claims, isSigned } }
    },
    accepted: (record) => {
      const found = whatever(record)
      if (!('accepted' in found)) return undefined
      const { accepted: entries, claims, isSigned } = found
      return { entries, claims, isSigned }
    },
  }
}

/** What a judge finds of a record. */
export function judged<E>(judge: Judge<E>, record: PeerRecord): Judgement<E> {
  const verdict = judge.verdict(record)
  if (!('accepted' in verdict)) return verdict
  const standsFor = judge.accepted(record)
  if (standsFor === undefined) throw new Error(`${record.key} is accepted, and stands for nothing`)
  return { accepted: standsFor.entries, ...verdict.accepted }
}
