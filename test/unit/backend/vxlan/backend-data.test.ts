import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../../src/config/error.ts'
import { mac } from '../../../../src/net/mac.ts'
import { decodeVtepData, encodeVtepData } from '../../../../src/backend/vxlan/backend-data.ts'

const decode = (data: unknown) => decodeVtepData(data, 'BackendData')

describe('decodeVtepData', () => {
  it('reads what upstream publishes today, and what v0.6 did', () => {
    expect(decode({ VNI: 100, VtepMAC: '82:53:2E:6a:a9:43' })).toEqual({ vni: 100, mac: '82:53:2e:6a:a9:43' })
    expect(decode({ VtepMAC: '82:53:2e:6a:a9:43' })).toEqual({ vni: undefined, mac: '82:53:2e:6a:a9:43' })
  })

  it('reads its own writing', () => {
    const data = encodeVtepData(7, mac('02:00:00:00:00:01'))
    expect(JSON.stringify(data)).toBe('{"VNI":7,"VtepMAC":"02:00:00:00:00:01"}')
    expect(decode(data)).toEqual({ vni: 7, mac: '02:00:00:00:00:01' })
  })

  it.each([
    ['nothing', undefined, 'BackendData: expected a JSON object'],
    ['null', null, 'BackendData: expected a JSON object'],
    ['text', '82:53:2e:6a:a9:43', 'BackendData: expected a JSON object'],
    ['no VtepMAC', {}, 'BackendData.VtepMAC'],
    ['a number for VtepMAC', { VtepMAC: 5 }, 'BackendData.VtepMAC'],
    ['half a VtepMAC', { VtepMAC: '82:53:2e' }, 'BackendData.VtepMAC'],
    ['zero', { VtepMAC: '00:00:00:00:00:00' }, 'unicast'],
    ['multicast', { VtepMAC: '01:00:5e:00:00:01' }, 'unicast'],
    ['broadcast', { VtepMAC: 'ff:ff:ff:ff:ff:ff' }, 'unicast'],
    ['a VNI of 25 bits', { VtepMAC: '82:53:2e:6a:a9:43', VNI: 0x100_0000 }, 'BackendData.VNI'],
    ['a negative VNI', { VtepMAC: '82:53:2e:6a:a9:43', VNI: -1 }, 'BackendData.VNI'],
    ['half a VNI', { VtepMAC: '82:53:2e:6a:a9:43', VNI: 1.5 }, 'BackendData.VNI'],
    ['text for the VNI', { VtepMAC: '82:53:2e:6a:a9:43', VNI: '100' }, 'BackendData.VNI'],
  ])('refuses %s', (_, data, reason) => {
    expect(() => decode(data)).toThrow(ConfigError)
    expect(() => decode(data)).toThrow(reason)
  })
})
