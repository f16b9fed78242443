import { describe, expect, it } from 'vitest'
import { compareConfig } from '../../../src/config/compare.ts'
import type { FieldChange } from '../../../src/config/field.ts'
import { parseNetworkConfig } from '../../../src/config/network.ts'

const BACKEND = { Type: 'vxlan', VNI: 100 }
const BEFORE = { Network: '10.0.0.0/8', SubnetLen: 20, EnableIPv6: true, IPv6Network: 'fd00:10::/48', Backend: BACKEND }
const parse = (config: object) => parseNetworkConfig(JSON.stringify(config))
const current = parse(BEFORE)
const compare = (fields: object) => compareConfig(current, parse({ ...BEFORE, ...fields }))
const backend = (fields: object): object => ({ Backend: { ...BACKEND, ...fields } })
const changeOf = (path: string, from: string, to: string): FieldChange => ({ path, from, to })

describe('comparing configurations', () => {
  it('finds nothing in the same, whatever its spelling', () => {
    const nothing = { applied: current, followed: [], refused: [] }
    expect(compare({})).toEqual(nothing)
    expect(compare({ SubnetMin: '10.0.16.0', EnableNFTables: false, ...backend({ Port: 8472, MTU: 0 }) })).toEqual(
      nothing,
    )
  })

  it.each([
    [{ EnableNFTables: true }, changeOf('EnableNFTables', 'false', 'true')],
    [backend({ MTU: 1400 }), changeOf('Backend.MTU', 'unset', '1400')],
    [backend({ DirectRouting: true }), changeOf('Backend.DirectRouting', 'false', 'true')],
    [{ SubnetMin: '10.50.0.0' }, changeOf('SubnetMin', '10.0.16.0', '10.50.0.0')],
    [{ SubnetMax: '10.99.0.0' }, changeOf('SubnetMax', '10.255.240.0', '10.99.0.0')],
    [{ IPv6SubnetMin: 'fd00:10:0:8::' }, changeOf('IPv6SubnetMin', 'fd00:10:0:1::', 'fd00:10:0:8::')],
    [{ IPv6SubnetMax: 'fd00:10:0:8::' }, changeOf('IPv6SubnetMax', 'fd00:10:0:ffff::', 'fd00:10:0:8::')],
  ])('follows %j', (fields, change) => {
    const next = parse({ ...BEFORE, ...fields })
    expect(compareConfig(current, next)).toEqual({ applied: next, followed: [change], refused: [] })
  })

  it.each([
    [{ Network: '10.0.0.0/9' }, changeOf('Network', '10.0.0.0/8', '10.0.0.0/9')],
    [{ SubnetLen: 22 }, changeOf('SubnetLen', '20', '22')],
    [{ IPv6Network: 'fd00:11::/48' }, changeOf('IPv6Network', 'fd00:10::/48', 'fd00:11::/48')],
    [{ IPv6SubnetLen: 60 }, changeOf('IPv6SubnetLen', '64', '60')],
    [{ EnableIPv4: false }, changeOf('EnableIPv4', 'true', 'false')],
    [{ EnableIPv6: false }, changeOf('EnableIPv6', 'true', 'false')],
    [backend({ VNI: 101 }), changeOf('Backend.VNI', '100', '101')],
    [backend({ Port: 4789 }), changeOf('Backend.Port', '8472', '4789')],
    [backend({ GBP: true }), changeOf('Backend.GBP', 'false', 'true')],
    [backend({ Learning: true }), changeOf('Backend.Learning', 'false', 'true')],
  ])('refuses %j, and stays as it is', (fields, change) => {
    expect(compare(fields)).toEqual({ applied: current, followed: [], refused: [change] })
  })

  it('refuses a family that was not there before', () => {
    const ipv4 = parse({ ...BEFORE, EnableIPv6: false })
    expect(compareConfig(ipv4, current)).toEqual({
      applied: ipv4,
      followed: [],
      refused: [changeOf('EnableIPv6', 'false', 'true')],
    })
  })

  it('refuses another backend type', () => {
    const other = parse(BEFORE)
    Reflect.set(other.backend, 'type', 'host-gw')
    expect(compareConfig(current, other).refused).toEqual([changeOf('Backend.Type', 'vxlan', 'host-gw')])
  })

  it('follows what it can of a configuration of which it refuses a part', () => {
    const { applied, followed, refused } = compare(backend({ VNI: 7, MTU: 1400 }))
    expect(followed.map(({ path }) => path)).toEqual(['Backend.MTU'])
    expect(refused.map(({ path }) => path)).toEqual(['Backend.VNI'])
    expect(applied).toEqual(parse({ ...BEFORE, ...backend({ MTU: 1400 }) }))
  })

  it('keeps the bounds of the network in force while another network waits, and follows those of the other family', () => {
    const { applied, refused } = compare({
      ...{ Network: '172.16.0.0/12', SubnetMin: '172.20.0.0' },
      IPv6SubnetMin: 'fd00:10:0:8::',
    })
    expect(refused.map(({ path }) => path)).toEqual(['Network'])
    expect(applied).toEqual(parse({ ...BEFORE, IPv6SubnetMin: 'fd00:10:0:8::' }))
  })
})
