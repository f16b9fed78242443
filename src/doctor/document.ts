import type { Finding } from './finding.ts'
import type { NotLookedInto } from './examine.ts'

/** What `flanneld doctor --json` prints. Within one version, fields are added and never change their meaning. */
export interface DoctorDocument {
  readonly version: 1
  /** ISO 8601, UTC. */
  readonly at: string
  /** Whether an agent answers here. */
  readonly hasAgent: boolean
  /** The root cause first, what only may do harm last. */
  readonly findings: readonly Finding[]
  readonly notLookedInto: readonly NotLookedInto[]
  /** What was looked into, in words. */
  readonly lookedInto: readonly string[]
}

/** Whether packets are lost, or will not be carried, because of anything that was found. */
export const isBroken = ({ findings }: Pick<DoctorDocument, 'findings'>): boolean =>
  findings.some(({ severity }) => severity === 'broken')
