import { describe, expect, it } from 'vitest'
import { parseBackend } from '../../../src/config/backend.ts'
import { parseJsonObject } from '../../../src/config/json.ts'

const parse = (backend: object) => parseBackend(parseJsonObject('Backend', JSON.stringify(backend)))

const DEFAULTS = {
  type: 'vxlan',
  vni: 1,
  port: 8472,
  underlayMtu: undefined,
  gbp: false,
  learning: false,
  directRouting: false,
}

describe('parseBackend', () => {
  it('is vxlan with the documented defaults when nothing is said', () => {
    expect(parseBackend(undefined)).toEqual(DEFAULTS)
    expect(parse({})).toEqual(DEFAULTS)
    expect(parse({ Type: 'vxlan' })).toEqual(DEFAULTS)
    expect(parse({ Type: 'VXLAN', Port: 0, MTU: 0 })).toEqual(DEFAULTS)
  })

  it.each(['host-gw', 'Host-GW', 'alloc', 'ALLOC'])('takes %s, which has no settings', (type) => {
    expect(parse({ Type: type, VNI: 5 })).toEqual({ type: type.toLowerCase() })
  })

  it('takes every setting', () => {
    const all = { Type: 'vxlan', VNI: 100, Port: 7890, MTU: 9000, GBP: true, Learning: true, DirectRouting: true }
    expect(parse(all)).toEqual({
      type: 'vxlan',
      vni: 100,
      port: 7890,
      underlayMtu: 9000,
      gbp: true,
      learning: true,
      directRouting: true,
    })
  })

  it.each(['directRouting', 'directrouting', 'DIRECTROUTING'])('reads %s as seen in the wild', (name) => {
    expect(parse({ [name]: true })).toMatchObject({ directRouting: true })
  })

  it.each([
    ['VNI', 0],
    ['VNI', 0xff_ffff],
    ['Port', 1],
    ['Port', 65_535],
    ['MTU', 576],
    ['MTU', 65_535],
  ])('takes %s at its bound %i', (name, value) => {
    expect(() => parse({ [name]: value })).not.toThrow()
  })

  it.each([
    ['ipip', 'ipip is not supported, use vxlan, with "DirectRouting": true where hosts share a link'],
    ['WireGuard', 'wireguard is not supported, nothing is encrypted here: use vxlan over an underlay that is'],
    ['ipsec', 'ipsec is not supported, nothing is encrypted here: use vxlan over an underlay that is'],
    ['extension', 'extension is not supported, use vxlan or host-gw, or alloc and a program of your own'],
    ['aws-vpc', 'aws-vpc is not supported, use vxlan'],
    ['gce', 'gce is not supported, use vxlan'],
    ['ali-vpc', 'ali-vpc is not supported, use vxlan'],
    ['tencent-vpc', 'tencent-vpc is not supported, use vxlan'],
    ['hostgw', 'did you mean host-gw?'],
    ['vx-lan', 'did you mean vxlan?'],
    ['vlxan', 'did you mean vxlan?'],
  ])('says of %s what to use instead', (type, instead) => {
    expect(() => parse({ Type: type })).toThrow(`Backend.Type: expected vxlan or host-gw or udp or alloc; ${instead}`)
  })

  it('reads udp: port 8285, also where 0 stands for it', () => {
    expect(parse({ Type: 'udp' })).toEqual({ type: 'udp', port: 8285 })
    expect(parse({ Type: 'UDP', port: 0 })).toEqual({ type: 'udp', port: 8285 })
    expect(parse({ Type: 'udp', Port: 7890, VNI: 5 })).toEqual({ type: 'udp', port: 7890 })
    expect(() => parse({ Type: 'udp', Port: 65_536 })).toThrow('Port: expected')
  })

  it('refuses udp where there is IPv6, which it does not carry', () => {
    const fields = parseJsonObject('Backend', '{"Type":"udp"}')
    expect(parseBackend(fields, [4])).toMatchObject({ type: 'udp' })
    expect(() => parseBackend(fields, [4, 6])).toThrow(
      'Backend.Type: expected a backend that carries IPv6, or EnableIPv6 false, found "udp"',
    )
  })

  it('does not guess what is meant by a backend that nobody has', () => {
    expect(() => parse({ Type: 'carrier-pigeon' })).toThrow(/expected vxlan or host-gw or udp or alloc, found/)
  })
})
