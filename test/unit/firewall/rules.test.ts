import { describe, expect, test } from 'vitest'
import { prefix } from '../../../src/net/prefix.ts'
import { rulesFor, ruleText } from '../../../src/firewall/rules.ts'
import { SPEC } from './samples.ts'

const texts = (spec: Parameters<typeof rulesFor>[0]): unknown =>
  rulesFor(spec).map(({ family, postrouting, forward }) => ({
    family,
    postrouting: postrouting.map(ruleText),
    forward: forward.map(ruleText),
  }))

describe('rules', () => {
  test('stand in the order that keeps sources inside the overlay and changes them at its edges', () => {
    expect(texts(SPEC)).toEqual([
      {
        family: 4,
        postrouting: [
          'mark 0x4000/0x4000 return',
          'from 10.20.0.0/20 to 10.0.0.0/8 return',
          'from 10.0.0.0/8 to 10.20.0.0/20 return',
          'from not 10.0.0.0/8 to 10.20.0.0/20 return',
          'from 10.0.0.0/8 to not 224.0.0.0/4 masquerade-random',
          'from not 10.0.0.0/8 to 10.0.0.0/8 masquerade-random',
        ],
        forward: ['from 10.0.0.0/8 accept', 'to 10.0.0.0/8 accept'],
      },
      {
        family: 6,
        postrouting: [
          'mark 0x4000/0x4000 return',
          'from fd00:10:1::/64 to fd00:10::/32 return',
          'from fd00:10::/32 to fd00:10:1::/64 return',
          'from not fd00:10::/32 to fd00:10:1::/64 return',
          'from fd00:10::/32 to not ff00::/8 masquerade-random',
          'from not fd00:10::/32 to fd00:10::/32 masquerade-random',
        ],
        forward: ['from fd00:10::/32 accept', 'to fd00:10::/32 accept'],
      },
    ])
  })

  test('leave the choice of ports to the kernel where asked to', () => {
    const [four] = rulesFor({ ...SPEC, randomFully: false })
    expect(four?.postrouting.map(({ verdict }) => verdict)).toEqual([
      ...['return', 'return', 'return', 'return'],
      ...['masquerade', 'masquerade'],
    ])
  })

  test('are none for what is not asked for', () => {
    const none = { postrouting: [], forward: [] }
    expect(texts({ ...SPEC, masquerade: false, forward: false })).toEqual([
      { family: 4, ...none },
      { family: 6, ...none },
    ])
    const onlyFour = [{ network: prefix('10.0.0.0/8'), subnet: prefix('10.20.0.0/20') }]
    expect(rulesFor({ ...SPEC, families: onlyFour })[1]).toEqual({ family: 6, ...none })
  })
})
