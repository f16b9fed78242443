import { describe, expect, it } from 'vitest'
import { deviceName, familyOfDevice, familyOfOwnDevice } from '../../../src/kernel/marks.ts'

describe('the name of the device', () => {
  it.each([
    [4, 1, 'flannel.1'],
    [4, 9_999_999, 'flannel.9999999'],
    [4, 10_000_000, 'flan.10000000'],
    [4, 16_777_215, 'flan.16777215'],
    [6, 1, 'flannel-v6.1'],
    [6, 9_999, 'flannel-v6.9999'],
    [6, 10_000, 'flan6.10000'],
    [6, 16_777_215, 'flan6.16777215'],
  ] as const)('of IPv%i and VNI %i is %s, which Linux takes', (family, vni, name) => {
    expect(deviceName(family, vni)).toBe(name)
    expect(name.length).toBeLessThanOrEqual(15)
    expect(familyOfDevice(name)).toBe(family)
  })

  it.each(['flannel', 'flannel.', 'flannel.1x', 'flannel-v4.1', 'xflannel.1', 'flannel.1.2', 'eth0.100'])(
    'is never %s',
    (name) => {
      expect(familyOfDevice(name)).toBeUndefined()
    },
  )
})

describe('a device that is proved ours', () => {
  const link = { name: 'flannel0', alias: 'flannel-agent', kind: 'tun', vxlan: undefined }

  it('is a TUN device of the pattern with our alias', () => {
    expect(familyOfOwnDevice(link)).toBe(4)
    expect(familyOfOwnDevice({ ...link, name: 'flannel12' })).toBe(4)
  })

  it.each([{ alias: undefined }, { kind: 'dummy' }, { name: 'flannel0x' }, { name: 'flannel.0' }, { name: 'flannel' }])(
    'is none with %j',
    (other) => {
      expect(familyOfOwnDevice({ ...link, ...other })).toBeUndefined()
    },
  )
})
