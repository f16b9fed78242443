import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/config/error.ts'
import { gatewayOf, parseNetworkConfig, subnetFits, type OverlayNetwork } from '../../../src/config/network.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { CONFIG, OVERLAY, overlayOf } from '../../fake/samples.ts'

/** An overlay as people would write it. */
const shown = (overlay: OverlayNetwork | undefined): string | undefined =>
  overlay &&
  `${overlay.network.text} by /${overlay.subnetLength} from ${overlay.subnetMin.text} to ${overlay.subnetMax.text}`

const overlay = (fields: object): string | undefined => shown(parseNetworkConfig(JSON.stringify(fields)).overlays[0])
const overlay6 = (fields: object): string | undefined => overlay({ EnableIPv4: false, EnableIPv6: true, ...fields })

/** The error of a configuration, which must be one. */
function complaint(text: string): ConfigError {
  try {
    parseNetworkConfig(text)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error(`taken for valid: ${text}`)
}

describe('parseNetworkConfig', () => {
  it('reads the configuration of the walkthrough', () => {
    const config = parseNetworkConfig(CONFIG)
    expect(config.overlays.map(shown)).toEqual(['10.0.0.0/8 by /20 from 10.10.0.0 to 10.99.0.0'])
    expect(config.backend).toMatchObject({ type: 'vxlan', vni: 100, port: 8472 })
    expect(config.enableNftables).toBe(false)
  })

  it('reads names in any case, as Go does', () => {
    const text = '{"network":"10.0.0.0/8","SUBNETLEN":20,"subnetmin":"10.10.0.0","backend":{"type":"VXLAN","vni":7}}'
    expect(shown(parseNetworkConfig(text).overlays[0])).toBe('10.0.0.0/8 by /20 from 10.10.0.0 to 10.255.240.0')
    expect(parseNetworkConfig(text).backend).toMatchObject({ vni: 7 })
  })

  it('takes null for absent and ignores what it does not know', () => {
    expect(overlay({ Network: '10.0.0.0/8', SubnetLen: null, Backend: null, Comment: 'x', __proto__: 1 })).toBe(
      '10.0.0.0/8 by /24 from 10.0.1.0 to 10.255.255.0',
    )
  })

  it('reads both families, IPv4 first', () => {
    const config = { EnableIPv6: true, IPv6Network: 'fd00:10::/48', Network: '10.0.0.0/8', EnableNFTables: true }
    const { overlays, enableNftables } = parseNetworkConfig(JSON.stringify(config))
    expect(overlays.map(({ family }) => family)).toEqual([4, 6])
    expect(enableNftables).toBe(true)
  })
})

describe('subnet length', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0/8 by /24 from 10.0.1.0 to 10.255.255.0'],
    ['10.0.0.0/22', '10.0.0.0/22 by /24 from 10.0.1.0 to 10.0.3.0'],
    ['10.0.0.0/23', '10.0.0.0/23 by /25 from 10.0.0.128 to 10.0.1.128'],
    ['10.0.0.0/28', '10.0.0.0/28 by /30 from 10.0.0.4 to 10.0.0.12'],
    ['10.15.0.1/16', '10.15.0.0/16 by /24 from 10.15.1.0 to 10.15.255.0'],
  ])('of IPv4 network %s defaults to %s', (network, expected) => {
    expect(overlay({ Network: network })).toBe(expected)
    expect(overlay({ Network: network, SubnetLen: 0 })).toBe(expected)
  })

  it.each([
    ['fd00::/48', 'fd00::/48 by /64 from fd00:0:0:1:: to fd00:0:0:ffff::'],
    ['fd00::/62', 'fd00::/62 by /64 from fd00:0:0:1:: to fd00:0:0:3::'],
    ['fd00::/63', 'fd00::/63 by /65 from fd00::8000:0:0:0 to fd00:0:0:1:8000::'],
    ['fd00::/124', 'fd00::/124 by /126 from fd00::4 to fd00::c'],
  ])('of IPv6 network %s defaults to %s', (network, expected) => {
    expect(overlay6({ IPv6Network: network })).toBe(expected)
  })

  it('may be anything from two bits longer than the network to what leaves two hosts', () => {
    expect(overlay({ Network: '10.0.0.0/8', SubnetLen: 10 })).toBe('10.0.0.0/8 by /10 from 10.64.0.0 to 10.192.0.0')
    expect(overlay({ Network: '10.0.0.0/8', SubnetLen: 30 })).toBe('10.0.0.0/8 by /30 from 10.0.0.4 to 10.255.255.252')
    expect(overlay6({ IPv6Network: 'fd00::/48', IPv6SubnetLen: 126 })).toContain('by /126')
  })
})

describe('SubnetMin and SubnetMax', () => {
  it('may be the first subnet, which is not given by default', () => {
    expect(overlay({ Network: '10.0.0.0/8', SubnetMin: '10.0.0.0' })).toContain('from 10.0.0.0 to')
  })

  it('may be one and the same', () => {
    expect(overlay({ Network: '10.0.0.0/8', SubnetMin: '10.9.1.0', SubnetMax: '10.9.1.0' })).toContain(
      'from 10.9.1.0 to 10.9.1.0',
    )
  })
})

describe('a wrong configuration is refused, naming field, rule and value', () => {
  it.each([
    ['', 'network configuration', 'valid JSON', '""'],
    ['{"Network":', 'network configuration', 'valid JSON', '"{\\"Network\\":"'],
    [' '.repeat(262_145), 'network configuration', 'at most 262144 characters', '"more"'],
    ['[]', 'network configuration', 'a JSON object', '[]'],
    ['null', 'network configuration', 'a JSON object', 'null'],
    ['{}', 'Network', 'EnableIPv4 is true', 'nothing'],
    ['{"EnableIPv4":false}', 'EnableIPv4', 'EnableIPv6', 'false'],
    ['{"EnableIPv4":"yes"}', 'EnableIPv4', 'true or false', '"yes"'],
    ['{"Network":"10.0.0.0/8","EnableIPv6":true}', 'IPv6Network', 'EnableIPv6 is true', 'nothing'],
    ['{"Network":10}', 'Network', 'a string', '10'],
    ['"10.0.0.0/8"', 'network configuration', 'a JSON object (it is a network alone', '"\\"10.0.0.0/8\\""'],
    [
      '{"net-conf.json":{"Network":"10.0.0.0/8"}}',
      'network configuration',
      'only what is inside of "net-conf.json"',
      '"{\\"net-conf.json\\":{\\"Network\\":\\"10.0.0.0/8\\"}}"',
    ],
    [
      '{"data":{"net-conf.json":"{}"}}',
      'network configuration',
      'only what is inside of "data"',
      '"{\\"data\\":{\\"net-conf.json\\":\\"{}\\"}}"',
    ],
    ['{"Network":"10.0.0.0/8","network":"10.0.0.0/8"}', 'Network', 'one field of that name', '["Network","network"]'],
    ['{"network":"10.0.0.0/8","NETWORK":null}', 'Network', 'one field of that name', '["network","NETWORK"]'],
    ['{"Network":"10.0.0.0/8","Backend":{"VNI":1,"vni":2}}', 'Backend.VNI', 'one field of that name', '["VNI","vni"]'],
    [
      '{"Network":"10.0.0.0/8","SubnetLen":1e999}',
      'SubnetLen',
      'a whole number',
      'a number beyond all that can be told apart',
    ],
    ['{"Network":"10.0.0.0"}', 'Network', 'an IPv4 network such as', '"10.0.0.0"'],
    ['{"Network":"fd00::/48"}', 'Network', 'an IPv4 network', '"fd00::/48"'],
    ['{"Network":"10.0.0.0/29"}', 'Network', 'at most /28', '"10.0.0.0/29"'],
    ['{"Network":"10.0.0.0/8","SubnetLen":31}', 'SubnetLen', 'a whole number from 10 to 30', '31'],
    ['{"Network":"10.0.0.0/8","SubnetLen":9}', 'SubnetLen', 'a whole number from 10 to 30', '9'],
    ['{"Network":"10.0.0.0/8","SubnetLen":-1}', 'SubnetLen', 'a whole number', '-1'],
    ['{"Network":"10.0.0.0/8","SubnetLen":20.5}', 'SubnetLen', 'a whole number', '20.5'],
    ['{"Network":"10.0.0.0/8","SubnetLen":"20"}', 'SubnetLen', 'a whole number', '"20"'],
    ['{"Network":"10.0.0.0/8","SubnetMin":"11.0.0.0"}', 'SubnetMin', 'inside 10.0.0.0/8', '"11.0.0.0"'],
    ['{"Network":"10.0.0.0/8","SubnetMax":"9.255.255.0"}', 'SubnetMax', 'inside 10.0.0.0/8', '"9.255.255.0"'],
    ['{"Network":"10.0.0.0/8","SubnetMin":"10.0.1.1"}', 'SubnetMin', 'a /24 boundary, such as 10.0.1.0', '"10.0.1.1"'],
    ['{"Network":"10.0.0.0/8","SubnetMax":"10.9.9.128"}', 'SubnetMax', 'a /24 boundary', '"10.9.9.128"'],
    ['{"Network":"10.0.0.0/8","SubnetMin":"10.9.0.0/24"}', 'SubnetMin', 'an IPv4 address', '"10.9.0.0/24"'],
    [
      '{"Network":"10.0.0.0/8","SubnetMin":"10.9.0.0","SubnetMax":"10.8.0.0"}',
      'SubnetMin',
      'not above SubnetMax 10.8.0.0',
      '"10.9.0.0"',
    ],
    ['{"Network":"10.0.0.0/8","EnableNFTables":1}', 'EnableNFTables', 'true or false', '1'],
    [
      '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/125"}',
      'IPv6Network',
      'at most /124',
      '"fd00::/125"',
    ],
    [
      '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/48","IPv6SubnetLen":127}',
      'IPv6SubnetLen',
      'a whole number from 50 to 126',
      '127',
    ],
    [
      '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/48","IPv6SubnetMin":"fd00::1"}',
      'IPv6SubnetMin',
      'a /64 boundary, such as fd00::',
      '"fd00::1"',
    ],
    ['{"Network":"10.0.0.0/8","Backend":"vxlan"}', 'Backend', 'a JSON object', '"vxlan"'],
    ['{"Network":"10.0.0.0/8","Backend":{"Type":"carrier-pigeon"}}', 'Backend.Type', 'vxlan', '"carrier-pigeon"'],
    [
      '{"Network":"10.0.0.0/8","Backend":{"Type":"WireGuard"}}',
      'Backend.Type',
      'wireguard is not supported, nothing is encrypted here: use vxlan over an underlay that is',
      '"WireGuard"',
    ],
    ['{"Network":"10.0.0.0/8","Backend":{"Type":"constructor"}}', 'Backend.Type', 'vxlan', '"constructor"'],
    ['{"Network":"10.0.0.0/8","Backend":{"VNI":16777216}}', 'Backend.VNI', '0 to 16777215', '16777216'],
    ['{"Network":"0.0.0.0/0"}', 'Network', '0.0.0.0/8 ("this network", RFC 791)', '"0.0.0.0/0"'],
    ['{"Network":"127.0.0.0/16"}', 'Network', '127.0.0.0/8 (loopback', '"127.0.0.0/16"'],
    ['{"Network":"64.0.0.0/2"}', 'Network', '127.0.0.0/8 (loopback', '"64.0.0.0/2"'],
    ['{"Network":"169.254.0.0/16"}', 'Network', 'link-local, RFC 3927', '"169.254.0.0/16"'],
    ['{"Network":"239.1.0.0/16"}', 'Network', 'multicast, RFC 5771', '"239.1.0.0/16"'],
    ['{"Network":"241.0.0.0/8"}', 'Network', 'reserved, RFC 1112', '"241.0.0.0/8"'],
    ['{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"::/64"}', 'IPv6Network', '::/128 (unspecified', '"::/64"'],
    ['{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fe80::/64"}', 'IPv6Network', 'link-local', '"fe80::/64"'],
    ['{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"ff05::/48"}', 'IPv6Network', 'multicast', '"ff05::/48"'],
    ['{"Network":"10.0.0.0/8","Backend":{"Port":65536}}', 'Backend.Port', '0 to 65535', '65536'],
    ['{"Network":"10.0.0.0/8","Backend":{"MTU":100}}', 'Backend.MTU', '576 to 65535', '100'],
    ['{"Network":"10.0.0.0/8","Backend":{"DirectRouting":"true"}}', 'Backend.DirectRouting', 'true or false', '"true"'],
  ])('%s', (text, path, rule, value) => {
    const error = complaint(text)
    expect(error.path).toBe(path)
    expect(error.expected).toContain(rule)
    expect(error.got).toBe(value)
    expect(error.message).toBe(`${path}: expected ${error.expected}, found ${value}`)
  })

  it('however large or deep it is', () => {
    expect(complaint(`{"Network":"${'x'.repeat(1_000_000)}"}`).message.length).toBeLessThan(300)
    expect(complaint(`{"Network":${'['.repeat(100_000)}${']'.repeat(100_000)}}`).path).toBe('Network')
  })
})

describe('networks beside reserved ones', () => {
  it.each([
    '1.0.0.0/8',
    '126.0.0.0/8',
    '128.0.0.0/8',
    '169.253.0.0/16',
    '169.255.0.0/16',
    '223.0.0.0/8',
    '100.64.0.0/10',
  ])('%s is taken', (network) => {
    expect(overlay({ Network: network })).toContain(network)
  })

  it('of IPv6 are taken', () => {
    for (const network of ['2001:db8::/48', 'fd00::/48', 'fec0::/48'])
      expect(overlay6({ IPv6Network: network })).toContain(network)
  })
})

describe('a VNI', () => {
  it('of 24 bits is taken for both families', () => {
    const config = { EnableIPv6: true, Network: '10.0.0.0/8', IPv6Network: 'fd00::/48', Backend: { VNI: 16_777_215 } }
    expect(parseNetworkConfig(JSON.stringify(config)).backend).toMatchObject({ vni: 16_777_215 })
  })
})

describe('subnetFits', () => {
  it.each([
    ['10.10.0.0/20', true],
    ['10.99.0.0/20', true],
    ['10.15.64.0/20', true],
    ['10.9.240.0/20', false],
    ['10.99.16.0/20', false],
    ['10.15.64.0/21', false],
    ['fd00::/20', false],
  ])('%s: %s', (subnet, fits) => {
    expect(subnetFits(OVERLAY, prefix(subnet))).toBe(fits)
  })
})

describe('gatewayOf', () => {
  it('is the first usable address', () => {
    expect(gatewayOf(prefix('10.15.64.0/20')).text).toBe('10.15.64.1')
    expect(gatewayOf(overlayOf('{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/48"}').network).text).toBe(
      'fd00::1',
    )
  })
})
