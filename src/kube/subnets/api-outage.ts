import { FORWARDING, type OutageCondition } from '../../agent/managers/store-outages.ts'
import type { ConditionReports } from '../../agent/runtime/conditions.ts'

/** An outage of the API server, as a condition of this node. */
export const apiOutage = (conditions: ConditionReports): OutageCondition => ({
  away: ({ message }, isForwarding, options) => {
    conditions.fails('Kubernetes API', `is out of reach: ${message}`, 'degraded', {
      ...options,
      says: `the Kubernetes API is out of reach: ${message}${isForwarding ? FORWARDING : ''}`,
      saysHolds: 'the Kubernetes API answers again',
    })
  },
  back: () => {
    conditions.holds('Kubernetes API')
  },
})
