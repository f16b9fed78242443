import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/config/error.ts'
import { parseJsonObject } from '../../../src/config/json.ts'

const fields = (text: string) => parseJsonObject('document', text)

describe('JsonFields', () => {
  it('finds a field in any case, the exact one first', () => {
    expect(fields('{"vni":1,"VNI":2,"Vni":3}').integer('VNI', 0, 9)).toBe(2)
    expect(fields('{"vni":1,"Vni":3}').integer('VNI', 0, 9)).toBe(3)
  })

  it('names the field by its whole path', () => {
    expect(() => fields('{"a":{"b":{"c":1}}}').object('a')?.object('b')?.string('c')).toThrow(
      'a.b.c: expected a string',
    )
  })

  it.each(['toString', 'constructor', '__proto__', 'hasOwnProperty'])('has no field %s unless it is given', (name) => {
    expect(fields('{}').raw(name)).toBeUndefined()
    expect(fields(`{"${name}":"x"}`).string(name)).toBe('x')
  })

  it('reads addresses and networks of the family asked for', () => {
    const document = fields('{"ip":"10.0.0.1","net":"10.0.0.0/8","ip6":"fd00::1","net6":"fd00::/48"}')
    expect(document.ip('ip', 4)?.text).toBe('10.0.0.1')
    expect(document.prefix('net6', 6)?.text).toBe('fd00::/48')
    expect(() => document.ip('ip6', 4)).toThrow(ConfigError)
    expect(() => document.prefix('net', 6)).toThrow('an IPv6 network such as fd00:10::/48')
  })

  it('says what is wrong with text that is no JSON', () => {
    expect(() => fields('{"a":1,}')).toThrow(/^document: expected valid JSON \(.+\), found "\{\\"a\\":1,\}"$/)
  })
})
