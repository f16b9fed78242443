import { describe, expect, it } from 'vitest'
import { deviceName } from '../../../../src/backend/vxlan/vtep.ts'

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
  })
})
