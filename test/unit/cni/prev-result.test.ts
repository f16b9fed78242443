import { expect, it } from 'vitest'
import { withGateways } from '../../../src/cni/prev-result.ts'

it('names the gateway of each route by its family, where the result names none', () => {
  const ips = [
    { address: '10.15.64.2/20', gateway: '10.15.64.1' },
    { address: 'fd00::2/64', gateway: 'fd00::1' },
  ]
  const routes = [{ dst: '10.0.0.0/8' }, { dst: 'fd00::/48' }, { dst: '1.0.0.0/8', gw: '10.15.64.9' }]
  expect(withGateways({ cniVersion: '1.0.0', ips, routes })).toEqual({
    cniVersion: '1.0.0',
    ips,
    routes: [{ dst: '10.0.0.0/8', gw: '10.15.64.1' }, { dst: 'fd00::/48', gw: 'fd00::1' }, routes[2]],
  })
})

it.each([
  [{}],
  [{ ips: [], routes: [{ dst: '10.0.0.0/8' }] }],
  [
    {
      ips: [{ gateway: 'fd00::1' }, null, 5, { gateway: 7 }],
      routes: [{ dst: '10.0.0.0/8' }, null, 'x', { dst: '?' }],
    },
  ],
  [{ ips: 5, routes: [] }],
])('leaves %j alone', (result) => {
  expect(withGateways(result)).toEqual(result)
})
