import { expect, test } from 'vitest'
import { causeRank, familyOfCondition } from '../../../../src/agent/runtime/condition-order.ts'

test.each<[string, 4 | 6 | undefined]>([
  ['device flannel-v6.100', 6],
  ['device flannel.100', 4],
  ['device br0', undefined],
  ['forwarding of IPv6', 6],
  ['IPv4 underlay address', 4],
  ['net.ipv6.conf.all.forwarding', 6],
  ['net.ipv4.ip_forward', 4],
  ['firewall', undefined],
])('of %s, the family is %s', (what, family) => {
  expect(familyOfCondition(what)).toBe(family)
})

test.each([
  'certificates of etcd',
  'etcd',
  'Kubernetes API',
  'lease',
  'tables of IPv4',
  'peers of IPv4',
  'losses to peers over IPv4',
])(
  'a full table of neighbours is told before %s, which may follow from it, and behind an underlay that is off',
  (symptom) => {
    expect(causeRank('neighbour table of IPv4')).toBeLessThan(causeRank(symptom))
    expect(causeRank('neighbour table of IPv6')).toBeGreaterThan(causeRank('IPv6 underlay link'))
  },
)

test.each([
  'IPv4 underlay link',
  'device flannel.100',
  'routes to peers of IPv4',
  'networks of this host',
  'net.ipv4.conf.flannel/100.forwarding',
  'drops of others',
  'table of connections',
  'checksums',
])('%s is told before the peers that it keeps from answering', (cause) => {
  for (const symptom of ['answers of', 'losses to', 'packet size to'])
    expect(causeRank(cause)).toBeLessThan(causeRank(`${symptom} peers over IPv4`))
})
