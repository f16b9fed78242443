import { expect, it } from 'vitest'
import { notInForce } from '../../../src/trace/find.ts'
import { ip } from '../../../src/net/ip.ts'
import { samplePeer } from '../../fake/status-samples.ts'
import { TRACED } from '../../fake/trace-samples.ts'

const asKnown = samplePeer(1, {
  ...{ subnet: TRACED.subnet.text, publicIp: TRACED.publicIp.text, mac: TRACED.mac ?? null, name: 'host-1' },
})

it('what the agent has, as the store says it, is in force', () => {
  expect(notInForce(TRACED, [asKnown])).toBeUndefined()
  expect(notInForce({ ...TRACED, mac: undefined }, [{ ...asKnown, mac: null }])).toBeUndefined()
})

it('of several that were given one subnet, all but one are not, and that one is named', () => {
  const words = 'for the agent, 10.15.16.0/20 is host-1 at 192.168.0.1, VtepMAC 0e:00:00:00:00:01'
  expect(notInForce({ ...TRACED, publicIp: ip('192.168.0.7') }, [asKnown])).toBe(words)
  expect(notInForce(TRACED, [])).toMatch(/^the agent has no such peer, or not yet/)
})
