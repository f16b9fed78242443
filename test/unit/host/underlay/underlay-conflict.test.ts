import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../../src/config/error.ts'
import { parseNetworkConfig } from '../../../../src/config/network.ts'
import { refuseSwallowing } from '../../../../src/host/underlay/underlay-conflict.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'

/** The complaint about an overlay on an underlay `address/length`; undefined when there is none. */
function complaint(config: object, underlay: string, ...gateways: readonly string[]): string | undefined {
  const address = ip(underlay.split('/')[0] ?? '')
  try {
    refuseSwallowing(parseNetworkConfig(JSON.stringify(config)), {
      address,
      prefix: prefix(underlay),
      gateways: gateways.map(ip),
    })
    return undefined
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

describe('refuseSwallowing', () => {
  it('refuses a network that is that of the underlay', () => {
    expect(complaint({ Network: '192.168.205.0/24' }, '192.168.205.100/24')).toBe(
      'Network: expected no network over the underlay 192.168.205.0/24: its subnets would cover 192.168.205.100, ' +
        'our own address, found "192.168.205.0/24"',
    )
  })

  it('refuses a network inside that of the underlay that covers this host, or its gateway', () => {
    expect(complaint({ Network: '10.5.0.0/16' }, '10.5.1.9/8')).toContain('10.5.1.9, our own address')
    expect(complaint({ Network: '10.5.0.0/16' }, '10.6.0.9/8', '10.1.0.1', '10.5.7.1')).toContain(
      "10.5.7.1, our gateway's address",
    )
  })

  it('takes a network inside that of the underlay that covers neither', () => {
    expect(complaint({ Network: '10.5.0.0/16' }, '10.6.0.9/8', '10.6.0.1')).toBeUndefined()
  })

  it('counts only what is handed out', () => {
    const config = { Network: '10.5.0.0/16', SubnetLen: 24, SubnetMin: '10.5.8.0', SubnetMax: '10.5.9.0' }
    expect(complaint(config, '10.5.7.255/8')).toBeUndefined()
    expect(complaint(config, '10.5.8.0/8')).toContain('10.5.8.0')
    expect(complaint(config, '10.5.9.255/8')).toContain('10.5.9.255')
    expect(complaint(config, '10.5.10.0/8')).toBeUndefined()
  })

  it('takes a network wider than the underlay, as the walkthrough has on its NAT interface', () => {
    expect(complaint({ Network: '10.0.0.0/8' }, '10.0.2.15/24', '10.0.2.2')).toBeUndefined()
  })

  it('does not mix families', () => {
    expect(complaint({ EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/48' }, '10.0.2.15/24')).toBeUndefined()
    const config = { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00:1::/48' }
    expect(complaint(config, 'fd00:1:0:5::9/32')).toContain('IPv6Network: expected no network over')
  })
})
