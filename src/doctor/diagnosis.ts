import type { ConditionStatus } from '../status/document.ts'
import { rankOf } from './causes.ts'
import { curesOf } from './condition-cures.ts'
import type { Finding } from './finding.ts'
import { SILENCE } from './silence.ts'

/** Of conditions that no check explains. */
export const UNEXPLAINED = 'condition'

/**
 * What is told of what was found: nothing twice, nothing that only follows from something else, the root cause first. Conditions that no
 * finding explains are findings of their own.
 */
export function diagnose(found: readonly Finding[], conditions: readonly ConditionStatus[]): readonly Finding[] {
  const distinctly = distinct(found)
  const explained = distinctly.flatMap(({ explains = [] }) => explains)
  const open = conditions.filter(({ what }) => !SEEN_ANEW.test(what) && !explained.some((name) => isNamed(what, name)))
  const all = [...distinctly, ...open.map(unexplained)]
  return all.filter((finding) => !givesWay(finding, all)).toSorted((a, b) => weight(a) - weight(b))
}

/**
 * What checks look at themselves, whatever the agent says of it, which may be up to a minute old: where none of them finds anything, it is
 * over.
 */
const SEEN_ANEW =
  /^((drops|masquerading) of others|container bridge|variants of iptables|table of connections|net\..*forward(ing)?)$/

/** A name of a condition, or the beginning of one with a star: `peers that do not answer*`. */
const isNamed = (what: string, name: string): boolean =>
  name.endsWith('*') ? what.startsWith(name.slice(0, -1)) : what === name

const BEHIND_ALL_CAUSES = 1_000

/** What loses packets comes before what may; of each, the root cause first. */
const weight = ({ cause, severity }: Finding): number => rankOf(cause) + (severity === 'risk' ? BEHIND_ALL_CAUSES : 0)

function distinct(found: readonly Finding[]): readonly Finding[] {
  const byText = new Map<string, Finding>()
  for (const finding of found) {
    const key = JSON.stringify([finding.cause, finding.peer, finding.summary])
    if (!byText.has(key)) byText.set(key, finding)
  }
  return [...byText.values()]
}

function givesWay(finding: Finding, all: readonly Finding[]): boolean {
  if (all.some(({ severity, leadsTo = [] }) => severity === 'broken' && leadsTo.includes(finding.cause))) return true
  if (finding.isInferred !== true) return false
  return all.some((other) => other.severity === 'broken' && isStronger(other, finding) && covers(other, finding))
}

const isStronger = (other: Finding, { isLastResort }: Finding): boolean =>
  other.isInferred !== true || (isLastResort === true && other.isLastResort !== true)

function covers(other: Finding, { peer }: Finding): boolean {
  const { covers = other.peer === undefined ? 'none' : 'peer' } = other
  return covers === 'all peers' || (covers === 'peer' && peer !== undefined && other.peer === peer)
}

const unexplained = ({ what, reason, effect, forSeconds, fault }: ConditionStatus): Finding => ({
  cause: UNEXPLAINED,
  severity: effect === 'none' ? 'risk' : 'broken',
  summary: `${what}: ${reason}`,
  evidence: [`the agent has said so for ${forSeconds} s`],
  cure: curesOf(what, reason),
  ...(isUnpublished(what, fault) ? { covers: 'all peers' } : {}),
  ...(SILENCE.some((name) => isNamed(what, name)) ? { isInferred: true } : {}),
})

/** Peers do not know of this host, or look for it elsewhere. Not so of a lease that is there and only cannot be renewed for now. */
const isUnpublished = (what: string, fault: ConditionStatus['fault']): boolean =>
  what === 'lease' && fault?.error !== 'StoreError'
