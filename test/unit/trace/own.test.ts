import { expect, it } from 'vitest'
import { carriedWay, isOwn } from '../../../src/trace/own.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { sampleStatus } from '../../fake/status-samples.ts'
import { DEVICE, TRACED } from '../../fake/trace-samples.ts'

const OWN = { ...TRACED, subnet: prefix('10.15.0.0/20'), mac: mac('0e:00:00:00:00:99') }

it('a lease of the agent that answers here is its own, and no other is', () => {
  expect(isOwn(OWN, { device: undefined }, sampleStatus([]))).toBe(true)
  expect(isOwn(TRACED, { device: DEVICE }, sampleStatus([]))).toBe(false)
})

it("without an agent, one that names the MAC of this host's device is", () => {
  expect(isOwn(OWN, { device: DEVICE }, undefined)).toBe(true)
  expect(isOwn(TRACED, { device: DEVICE }, undefined)).toBe(false)
  expect(isOwn({ ...OWN, mac: undefined }, { device: { ...DEVICE, mac: undefined } }, undefined)).toBe(false)
})

it('without an agent, a peer of udp, whose lease names no type, is reached by the TUN device', () => {
  const peer = { ...TRACED, mac: undefined, vni: undefined }
  expect(carriedWay({ ...peer, backendType: '' }, undefined)).toEqual({ device: undefined, network: undefined })
  expect(carriedWay({ ...peer, backendType: 'host-gw' }, undefined)).toBeUndefined()
  expect(carriedWay({ ...peer, backendType: '' }, sampleStatus([]))).toBeUndefined()
})
