import { expect, it } from 'vitest'
import { AGENT_METRICS } from '../../../src/metrics/answer.ts'
import { PEER_METRICS } from '../../../src/metrics/peer-metrics.ts'

const ALL = [...AGENT_METRICS, ...PEER_METRICS]
/** Base units, and what is none (prometheus.io: Metric and label naming). */
const UNIT = /_(seconds|bytes|ratio|total|info)$/
/** Counts of things, states, and names of Prometheus' own clients. */
const WITHOUT_UNIT =
  /^(flannel_(peers|subnets|free_subnets|rejected_leases|pending_rows|condition|node_state|tables_synced|underlay_carrier|lease_held|firewall_rules_hold|(etcd|apiserver)_up|(etcd|apiserver)_endpoint_up|peer_reachable)|process_(open|max)_fds)$/

it('each has a name of its own, in words that Prometheus takes', () => {
  expect(new Set(ALL.map(({ name }) => name)).size).toBe(ALL.length)
  for (const { name, labels } of ALL) {
    expect(name).toMatch(/^(flannel|process)_[a-z_]+$/)
    for (const label of labels) expect(label).toMatch(/^[a-z][a-z_]*$/)
    expect(name).toMatch(UNIT.test(name) ? UNIT : WITHOUT_UNIT)
  }
})

it('counters end in _total and nothing else does', () => {
  for (const { name, type } of ALL) expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter'])
})
