import type { LeaseState } from '../../lease/keeper/options.ts'
import type { Logger } from '../../observe/logger.ts'
import { subjectOf } from '../../agent/runtime/condition-log.ts'
import type { ConditionReports } from '../../agent/runtime/conditions.ts'

interface ReportPorts {
  readonly log: Logger
  readonly conditions: ConditionReports
}

/** What its keeper says of a lease that had failed and holds again, with nothing written. */
const RENEWED = 'renewed again'

/** What becomes of the lease is a condition; a machine with our node id, or somebody who takes it, wants a person. */
export function reportLease({ conditions, log }: ReportPorts, subnet: string, state: LeaseState, what: string): void {
  const fields = { subnet }
  if (state.is === 'held') {
    if (what !== RENEWED) log.info(`lease ${what}`, fields, { kind: 'lease-changed', what })
    conditions.holds('lease')
  } else if (state.is === 'unrenewed')
    conditions.fails('lease', `${what}: ${state.error.message}`, 'degraded', {
      error: state.error,
      says: `lease ${what}: ${state.error.message}; forwarding goes on`,
      saysHolds: `lease ${RENEWED}`,
      subject: `${what} ${subjectOf(state.error)}`,
      fields,
    })
  else if (state.is === 'contested') {
    const isClone = state.done === 'rewritten'
    const says = `lease ${what}${isClone ? ': has another machine the same machine id? Give one of them --node-id' : ''}`
    conditions.fails('lease', what, 'degraded', { says, level: 'error', saysHolds: false, fields })
  } else conditions.fails('lease', what, 'unready', { says: what, fields })
}
