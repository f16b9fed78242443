import { describe, expect, it } from 'vitest'
import { addressDeviations, foreignBeforeOurs } from '../../../../src/backend/device/device-addresses.ts'
import type { AddressState, KernelOp } from '../../../../src/kernel/kernel.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'

const DEVICE = { index: 4 }
const SPEC = { address: ip('10.15.64.0'), network: prefix('10.15.0.0/16'), formerAddresses: [ip('10.99.16.0')] }

function address(text: string, fields: Partial<AddressState> = {}): AddressState {
  const [base = '', length = ''] = text.split('/')
  return { linkIndex: 4, ip: ip(base), prefixLength: Number(length), scope: 'global', flags: ['permanent'], ...fields }
}

const OURS = address('10.15.64.0/32')
const TWIN = address('10.15.64.0/16', { flags: ['permanent', 'noprefixroute'] })
const DHCP = address('192.168.1.50/24')

/** What is done: `+` and `-`, with `!` where the address brings no route with it. */
function done(...present: readonly AddressState[]): string {
  const words = (op: KernelOp): string =>
    op.op === 'address.add'
      ? `+${op.ip.text}/${op.prefixLength}${op.noPrefixRoute === true ? '!' : ''}`
      : op.op === 'address.delete'
        ? `-${op.ip.text}/${op.prefixLength}`
        : op.op
  return addressDeviations(SPEC, DEVICE, present)
    .flatMap(({ ops }) => (ops ?? []).map(words))
    .join(' ')
}

describe('addresses of our device', () => {
  it('are left alone where ours is there, and what is behind it is not of the overlay', () => {
    expect(done(OURS)).toBe('')
    expect(done(OURS, DHCP)).toBe('')
    expect(foreignBeforeOurs(SPEC, DEVICE, [OURS, DHCP])).toEqual([])
  })

  it('that an earlier run has left go: marked as ours, or that of the subnet which the subnet file named', () => {
    const marked = address('10.77.0.0/32', { protocol: '70' })
    expect(done(address('10.99.16.0/32'), marked, OURS)).toBe('-10.99.16.0/32 -10.77.0.0/32')
    expect(done(address('10.99.16.0/32'))).toBe('+10.15.64.0/32 -10.99.16.0/32')
  })

  it('that cannot be proved ours stay, and are named where they stand before ours', () => {
    const like = [address('10.77.0.0/32'), address('10.99.16.0/24'), address('10.88.0.0/32', { protocol: '3' })]
    expect(done(...like, OURS)).toBe('+10.15.64.0/16!')
    expect(foreignBeforeOurs(SPEC, DEVICE, [...like, OURS])).toEqual(['10.77.0.0/32', '10.99.16.0/24', '10.88.0.0/32'])
  })

  it('of others that stand before ours are outranked by ours with the network around it, for as long as they do', () => {
    expect(done(DHCP)).toBe('+10.15.64.0/32 +10.15.64.0/16!')
    expect(done(DHCP, OURS)).toBe('+10.15.64.0/16!')
    expect(done(DHCP, OURS, TWIN)).toBe('')
    expect(foreignBeforeOurs(SPEC, DEVICE, [DHCP, OURS, TWIN])).toEqual(['192.168.1.50/24'])
    expect(done(OURS, TWIN)).toBe('-10.15.64.0/16')
  })

  it('of others whose network has the peers in it are named wherever they stand', () => {
    const wide = address('10.0.0.5/8')
    expect(foreignBeforeOurs(SPEC, DEVICE, [OURS, wide])).toEqual(['10.0.0.5/8'])
  })

  it('of others that the kernel does not take for a source do not count: secondary ones, those of a narrower scope', () => {
    const secondary = address('192.168.1.51/24', { flags: ['temporary', 'permanent'] })
    const narrow = address('169.254.7.7/16', { scope: 'link' })
    expect(done(secondary, narrow, OURS)).toBe('')
    expect(foreignBeforeOurs(SPEC, DEVICE, [secondary, narrow, OURS])).toEqual([])
  })

  it('of the overlay that are not ours go, also beside one of others', () => {
    expect(done(address('10.15.80.0/32'), DHCP, OURS)).toBe('+10.15.64.0/16! -10.15.80.0/32')
  })

  it('of IPv6 have no order: one of others stays, and is no harm', () => {
    const spec = { address: ip('fd15::'), network: prefix('fd15::/48'), formerAddresses: [] }
    const present = [address('2001:db8::5/64'), address('fd99::/128', { protocol: '70' }), address('fd15::/128')]
    const ops = addressDeviations(spec, DEVICE, present).flatMap((deviation) => deviation.ops ?? [])
    expect(ops).toEqual([{ op: 'address.delete', linkIndex: 4, ip: ip('fd99::'), prefixLength: 128 }])
    expect(foreignBeforeOurs(spec, DEVICE, present)).toEqual([])
  })
})
