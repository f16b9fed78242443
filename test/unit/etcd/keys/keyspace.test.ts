import { describe, expect, test } from 'vitest'

import { isWithin, Keyspace } from '../../../../src/etcd/keys/keyspace.ts'
import { decodeLease } from '../../../../src/lease/codec.ts'

const keyspace = Keyspace.leases('/coreos.com/network')
const below = (...bytes: readonly number[]): Buffer =>
  Buffer.concat([Buffer.from('/coreos.com/network/subnets/'), Buffer.from(bytes)])
const text = (name: string): readonly number[] => [...Buffer.from(name)]

describe('names of keys', () => {
  test.each<[string, readonly number[], string]>([
    ['of a lease are as they stand', text('10.15.64.0-20&fd00::-64'), '10.15.64.0-20&fd00::-64'],
    ['beyond ASCII too', text('é中😀'), 'é中😀'],
    ['that are no UTF-8 have their bytes escaped', [0x61, 0xff, 0x62], 'a\\xffb'],
    ['that stop within a character, too', [0xc3], '\\xc3'],
    ['with a backslash have it escaped', text('a\\xff'), 'a\\x5cxff'],
    ['that are empty stay empty', [], ''],
  ])('%s, and lead back to the key', (_, bytes, name) => {
    expect(keyspace.nameOf(below(...bytes))).toBe(name)
    expect(keyspace.keyOf(name)).toEqual(below(...bytes))
  })

  test('are never the same for two keys, whatever the bytes', () => {
    const keys = [
      ...Array.from({ length: 256 }, (__, byte) => [byte]),
      [0xfe, 0xff],
      [0xff, 0xfe],
      text('\\xff'),
      text('\\x5cxff'),
      text('\ufffd'),
    ]
    expect(new Set(keys.map((bytes) => keyspace.nameOf(below(...bytes)))).size).toBe(keys.length)
  })
})

describe('names of more than 1 KiB', () => {
  const long = (last: string): Buffer => below(...text('k'.repeat(2_000)), ...text(last))

  test('are cut, and still another one for every key', () => {
    const names = [keyspace.nameOf(long('a')), keyspace.nameOf(long('b'))]
    for (const name of names) expect(name).toMatch(/^k{64}\\…[0-9a-f]{64}$/)
    expect(new Set(names).size).toBe(2)
  })

  test('begin with those of 1 KiB and a byte, whatever the bytes', () => {
    expect(keyspace.nameOf(below(...Array<number>(1_024).fill(0xff)))).toHaveLength(4 * 1_024)
    expect(keyspace.nameOf(below(...Array<number>(1_025).fill(0xff)))).toHaveLength(4 * 64 + 2 + 64)
  })
})

const KEY = below(...text('10.15.64.0-20'))

describe('values', () => {
  const record = (value: Buffer, of: Keyspace = keyspace) =>
    of.record({
      bytes: Buffer.concat([KEY, value]),
      ...{ keyStart: 0, keyStop: KEY.length, valueStart: KEY.length, valueStop: KEY.length + value.length },
      ...{ createRevision: 1n, modRevision: 1n, lease: 0n },
    })

  test('that any lease could have are kept whole', () => {
    const value = `"${'中'.repeat(16_382)}"`
    expect(record(Buffer.from(value)).value).toBe(value)
  })

  test.each(['x', 'é', '中', '😀'])('of 1.4 MB of %s are kept as far as shows that they are too long', (character) => {
    const kept = record(Buffer.from(character.repeat(1_400_000 / Buffer.byteLength(character))))
    expect(Buffer.byteLength(kept.value)).toBeLessThan(50_000)
    expect(decodeLease(kept)).toMatchObject({ rejected: 'the value has more than 16384 characters', code: 'malformed' })
  })

  test('that are too long take the memory of one, and those as long as can be are whole', () => {
    const [one, other] = ['x', 'y'].map((character) => record(Buffer.from(character.repeat(16_385))).value)
    expect(one).toBe(other)
    const longest = 'x'.repeat(16_384)
    expect(record(Buffer.from(longest)).value).toBe(longest)
  })

  test.each([
    ['of the configuration', keyspace.configuration(100_000), 100_000],
    ['of challenges', keyspace.challenges, 16_384],
    ['of challenges to one lease', keyspace.challengesTo('10.15.64.0-20'), 16_384],
  ])('%s have a largest length, too', (_, directory, longest) => {
    const whole = 'x'.repeat(longest)
    expect(record(Buffer.from(whole), directory).value).toBe(whole)
    expect(record(Buffer.from(`${whole}x`), directory).value).toBe(' '.repeat(longest + 1))
    expect(record(Buffer.from(whole), directory).value).toBe(whole)
  })
})

describe('the range of a directory', () => {
  const network = Buffer.from('/coreos.com/network')
  const isIn = (directory: Keyspace, key: string): boolean => {
    const bytes = Buffer.concat([network, Buffer.from(key)])
    return isWithin(directory.range, bytes)
  }

  test.each(['/subnets/', '/subnets/10.15.64.0-20', '/subnets/0', '/subnets/~', '/subnets/\uffff'])(
    'holds %j',
    (key) => {
      expect(isIn(keyspace, key)).toBe(true)
    },
  )

  test.each(['/config', '/subnets', '/subnets0', '/subnetsx/a', '/challenges/a', '/subnetr/a', '0subnets/a'])(
    'does not hold %j',
    (key) => {
      expect(isIn(keyspace, key)).toBe(false)
    },
  )

  test('of challenges is that to all leases, or to one', () => {
    const [all, one] = [keyspace.challenges, keyspace.challengesTo('10.15.64.0-20')]
    for (const directory of [all, one]) expect(isIn(directory, '/challenges/10.15.64.0-20/q')).toBe(true)
    expect([all, one].map((directory) => isIn(directory, '/challenges/10.15.80.0-20/q'))).toEqual([true, false])
    expect(isIn(all, '/subnets/10.15.64.0-20')).toBe(false)
  })

  test('of the configuration is its key alone, which needs no right to any other', () => {
    const configuration = keyspace.configuration(100)
    expect(configuration.range).toEqual({ key: Buffer.from('/coreos.com/network/config') })
    expect(isIn(configuration, '/config')).toBe(true)
    for (const key of ['/confif', '/confih', '/config\0', '/config/', '/configs', '/subnets/a'])
      expect(isIn(configuration, key)).toBe(false)
  })

  test.each(['/coreos.com/network/', '/coreos.com//network', '/coreos.com/./network'])(
    'is the same for %s',
    (prefix) => {
      expect(Keyspace.leases(prefix).range).toEqual(keyspace.range)
      expect(Keyspace.leases(prefix).config).toEqual(keyspace.config)
    },
  )
})
