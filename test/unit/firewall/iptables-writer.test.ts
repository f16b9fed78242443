import { beforeEach, describe, expect, test } from 'vitest'
import { IptablesWriter } from '../../../src/firewall/iptables-writer.ts'
import { rulesFor } from '../../../src/firewall/rules.ts'
import { FirewallError, type FirewallErrorCode } from '../../../src/kernel/firewall.ts'
import { SPEC } from './samples.ts'

const signal = new AbortController().signal
const RULES = rulesFor({ ...SPEC, randomFully: true })[0] ?? { family: 4, postrouting: [], forward: [] }

let ran: string[]
beforeEach(() => {
  ran = []
})

/** An iptables of this version that refuses, in this way, what has the option. */
const writer = (version: string, option: string, code: FirewallErrorCode = 'REFUSED'): IptablesWriter =>
  new IptablesWriter('iptables', (tool, args, input) => {
    ran.push([tool, ...args].join(' '))
    if (args.includes('--version')) return Promise.resolve(`iptables ${version} (legacy)\n`)
    const isRefused = [...args, input].some((word) => word.includes(option))
    return isRefused ? Promise.reject(new FirewallError(tool, code, 'no')) : Promise.resolve('')
  })

describe('what is written to iptables', () => {
  test('is asked of it with a wait for its lock, and nothing else is', async () => {
    expect(await writer('v1.4.21', 'nothing').write('*nat', signal)).toBe(true)
    expect(ran).toEqual(['iptables-restore --noflush --wait 5'])
  })

  test.each(['v1.4.21', 'v1.6.1', 'v0.9.9'])(
    'is told to be too much for version %s, which is asked once',
    async (version) => {
      const old = writer(version, '--wait')
      expect(await old.write('*nat', signal)).toBe(false)
      expect(await old.write('*nat', signal)).toBe(true)
      expect(ran).toEqual(['iptables-restore --noflush --wait 5', 'iptables --version', 'iptables-restore --noflush'])
      expect(old.lacksRandomFully(RULES)).toBe(version)
      const { postrouting } = old.expressible(RULES)
      expect(postrouting.map(({ verdict }) => verdict)).toEqual([
        ...['return', 'return', 'return', 'return', 'masquerade', 'masquerade'],
      ])
      expect(old.lacksRandomFully({ ...RULES, postrouting })).toBeUndefined()
    },
  )

  test('by an old one that refuses all the same is an error', async () => {
    const old = writer('v1.6.1', 'n')
    expect(await old.write('*nat', signal)).toBe(false)
    await expect(old.write('*nat', signal)).rejects.toMatchObject({ code: 'REFUSED' })
  })

  test.each(['v1.6.2', 'v1.8.9', 'v2.0.0', 'v1.10.0', 'of no version'])(
    'is an error where %s refuses it',
    async (version) => {
      const newer = writer(version, '--wait')
      await expect(newer.write('*nat', signal)).rejects.toMatchObject({ code: 'REFUSED' })
      expect(newer.expressible(RULES)).toBe(RULES)
      expect(newer.lacksRandomFully(RULES)).toBeUndefined()
    },
  )

  test('is an error where it came to no answer, whatever the version', async () => {
    await expect(writer('v1.4.21', '--wait', 'TIMEOUT').write('*nat', signal)).rejects.toMatchObject({
      code: 'TIMEOUT',
    })
    expect(ran).toHaveLength(1)
  })
})
