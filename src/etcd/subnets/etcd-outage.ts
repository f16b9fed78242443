import type { OutageCondition } from '../../agent/managers/store-outages.ts'
import type { ConditionReports } from '../../agent/runtime/conditions.ts'

/** An outage of etcd, as a condition of this node. */
export const etcdOutage = (conditions: ConditionReports): OutageCondition => ({
  away: ({ message }, forwarding, options) => {
    const says = `etcd is out of reach: ${message}${forwarding}`
    conditions.fails('etcd', `is out of reach: ${message}`, 'degraded', {
      ...options,
      says,
      saysHolds: 'etcd answers again',
    })
  },
  back: () => {
    conditions.holds('etcd')
  },
})
