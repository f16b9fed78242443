import { FORWARDING, type OutageCondition } from '../../agent/managers/store-outages.ts'
import type { ConditionReports } from '../../agent/runtime/conditions.ts'

/** An outage of etcd, as a condition of this node. */
export const etcdOutage = (conditions: ConditionReports): OutageCondition => ({
  away: ({ message }, isForwarding, options) => {
    conditions.fails('etcd', `is out of reach: ${message}`, 'degraded', {
      ...options,
      says: `etcd is out of reach: ${message}${isForwarding ? FORWARDING : ''}`,
      saysHolds: 'etcd answers again',
    })
  },
  back: () => {
    conditions.holds('etcd')
  },
})
