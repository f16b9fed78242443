import { describe, expect, it } from 'vitest'
import { commonPlace } from '../../../src/page/model/common.ts'
import type { PeerStatus } from '../../../src/status/document.ts'

const at = (...addresses: readonly string[]): readonly PeerStatus[] =>
  addresses.map((publicIp) => ({ publicIp }) as PeerStatus)

describe('what peers that are not reached have in common', () => {
  it('is the smallest network around their addresses, when no other peer is in it', () => {
    const found = commonPlace(at('172.16.5.1', '172.16.5.2', '172.16.5.30'), at('172.16.5.40', '172.16.6.1'))
    expect(found?.text).toBe('172.16.5.0/27')
    expect(commonPlace(at('fd00:5::1', 'fd00:5::2', 'fd00:5::3'), at('fd00:6::1'))?.text).toBe('fd00:5::/126')
  })

  it('is nothing when others there are reached, or there are no others, or too few', () => {
    const some = at('172.16.5.1', '172.16.5.2', '172.16.5.30')
    expect(commonPlace(some, at('172.16.5.9'))).toBeUndefined()
    expect(commonPlace(some, [])).toBeUndefined()
    expect(commonPlace(some.slice(1), at('10.0.0.1'))).toBeUndefined()
  })

  it('is nothing for addresses that are none, or of both families', () => {
    expect(commonPlace(at('172.16.5.1', 'nonsense', '172.16.5.2'), at('10.0.0.1'))).toBeUndefined()
    expect(commonPlace(at('172.16.5.1', 'fd00::1', '172.16.5.2'), at('10.0.0.1'))).toBeUndefined()
  })
})
