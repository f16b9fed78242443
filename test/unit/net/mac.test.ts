import { describe, expect, it } from 'vitest'
import { isUnicastMac, locallyAdministeredMac, mac, macFromBytes, macToBytes, parseMac } from '../../../src/net/mac.ts'

describe('parseMac', () => {
  it.each(['82:53:2e:6a:a9:43', '82:53:2E:6A:A9:43', '82-53-2E-6A-A9-43'])('reads %s', (text) => {
    expect(parseMac(text)).toBe('82:53:2e:6a:a9:43')
  })

  it.each([
    '',
    '82532e6aa943',
    '8253.2e6a.a943',
    '82:53:2e:6a:a9',
    '82:53:2e:6a:a9:43:01',
    '82:53:2e:6a:a9:4',
    '82:53:2e:6a:a9:4g',
    ' 82:53:2e:6a:a9:43',
    '82:53:2e:6a:a9:43\n',
  ])('takes %j for no Ethernet address', (text) => {
    expect(parseMac(text)).toBeUndefined()
  })

  it('names the text that is no Ethernet address', () => {
    expect(() => mac('nonsense')).toThrow('"nonsense"')
  })
})

describe('Ethernet addresses as octets', () => {
  it('goes there and back', () => {
    expect([...macToBytes(mac('00:0a:ff:10:09:a0'))]).toEqual([0, 10, 255, 16, 9, 160])
    expect(macFromBytes(Uint8Array.of(0, 10, 255, 16, 9, 160))).toBe('00:0a:ff:10:09:a0')
  })

  it.each([0, 5, 7, 8])('refuses %i octets', (length) => {
    expect(() => macFromBytes(new Uint8Array(length))).toThrow(RangeError)
  })
})

describe('isUnicastMac', () => {
  it.each(['00:00:00:00:00:00', '01:00:5e:00:00:01', '33:33:00:00:00:01', 'ff:ff:ff:ff:ff:ff'])(
    'refuses %s',
    (text) => {
      expect(isUnicastMac(mac(text))).toBe(false)
    },
  )

  it.each(['00:00:00:00:00:01', '02:00:00:00:00:00', '82:53:2e:6a:a9:43', 'fe:ff:ff:ff:ff:ff'])('takes %s', (text) => {
    expect(isUnicastMac(mac(text))).toBe(true)
  })
})

describe('locallyAdministeredMac', () => {
  it('clears the group bit and sets the local one, and keeps the other 46', () => {
    expect(locallyAdministeredMac(new Uint8Array(32).fill(0xff))).toBe('fe:ff:ff:ff:ff:ff')
    expect(locallyAdministeredMac(new Uint8Array(6))).toBe('02:00:00:00:00:00')
  })

  it('leaves its input alone and refuses too little entropy', () => {
    const entropy = new Uint8Array(6).fill(0xff)
    locallyAdministeredMac(entropy)
    expect(entropy[0]).toBe(0xff)
    expect(() => locallyAdministeredMac(new Uint8Array(5))).toThrow(RangeError)
  })
})
