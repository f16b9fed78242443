import { expect, test } from 'vitest'
import { familyOfCondition } from '../../../../src/agent/runtime/condition-order.ts'

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
