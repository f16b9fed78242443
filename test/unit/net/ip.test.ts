import { describe, expect, it } from 'vitest'
import { ip, ipFromBytes, ipFromInteger, ipToInteger, parseIp, sameIp } from '../../../src/net/ip.ts'

describe('parseIp', () => {
  it.each([
    ['10.15.64.0', '10.15.64.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['FD00:10:0:0:0:0:0:1', 'fd00:10::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
  ])('reads %s as %s', (text, canonical) => {
    expect(parseIp(text)?.text).toBe(canonical)
  })

  it.each([
    '',
    ' 10.0.0.1',
    '10.0.0.1 ',
    '10.0.0',
    '10.1',
    '167772161',
    '0x0a.0.0.1',
    '010.0.0.1',
    '10.0.0.01',
    '10.0.0.256',
    '10.0.0.-1',
    '10.0.0.1/24',
    'fe80::1%eth0',
    '1::2::3',
    '12345::',
    '[::1]',
    'localhost',
  ])('takes %j for no address', (text) => {
    expect(parseIp(text)).toBeUndefined()
  })

  it('names the text that is no address', () => {
    expect(() => ip('10.0.0.999')).toThrow(RangeError)
    expect(() => ip('10.0.0.999')).toThrow('"10.0.0.999"')
  })
})

describe('addresses as octets and integers', () => {
  it('refuses anything but 4 or 16 octets', () => {
    expect(() => ipFromBytes(new Uint8Array(5))).toThrow('5')
    expect(ipFromBytes(new Uint8Array(16)).text).toBe('::')
  })

  it('counts in network byte order', () => {
    expect(ipToInteger(ip('10.15.64.1'))).toBe(0x0a0f4001n)
    expect(ipFromInteger(4, 0x0a0f4001n).text).toBe('10.15.64.1')
    expect(ipToInteger(ip('::1:0'))).toBe(0x10000n)
  })

  it('refuses integers outside the family', () => {
    expect(() => ipFromInteger(4, 1n << 32n)).toThrow(RangeError)
    expect(() => ipFromInteger(4, -1n)).toThrow(RangeError)
    expect(ipFromInteger(6, (1n << 128n) - 1n).text).toBe('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')
  })

  it('never takes an IPv4 address for an IPv6 one', () => {
    expect(sameIp(ip('10.0.0.1'), ip('::ffff:10.0.0.1'))).toBe(false)
    expect(sameIp(ip('FD00::0'), ip('fd00::'))).toBe(true)
  })
})
