import { describe, expect, it } from 'vitest'
import { compileGoRegExp } from '../../../src/cli/go-regexp.ts'

function matches(pattern: string, text: string): boolean {
  const compiled = compileGoRegExp(pattern)
  if ('problem' in compiled) throw new Error(compiled.problem)
  return compiled.test(text)
}

describe('compileGoRegExp', () => {
  it.each([
    ['eth1', 'eth10'],
    ['^eth(1|2)$', 'eth2'],
    ['(?i)^ETH', 'eth0'],
    ['eth(?i)N', 'ethn'],
    [String.raw`^192\.168\.(33|205)\.`, '192.168.205.10'],
    [String.raw`\Aens\d+\z`, 'ens18'],
    ['^(?P<kind>eth|ens)[[:digit:]]+$', 'ens3'],
    ['^[[:alpha:]_]+$', 'br_lan'],
    ['[[:blank:]]', 'br lan'],
    ['^(?:eth)0$', 'eth0'],
    [String.raw`eth\-0`, 'eth-0'],
    [String.raw`^\Qbr.1\E$`, 'br.1'],
    [String.raw`^\pL+0$`, 'wlän0'],
    [String.raw`^\\`, '\\'],
  ])('%s matches %s', (pattern, text) => {
    expect(matches(pattern, text)).toBe(true)
  })

  it.each([
    ['^eth1$', 'eth10'],
    [String.raw`^192\.168\.`, '192x168.1.1'],
    [String.raw`\Aeth\z`, 'eth0'],
    ['ETH', 'eth0'],
    [String.raw`\\A`, 'A'],
    [String.raw`^\Qbr.1\E$`, 'brx1'],
  ])('%s does not match %s', (pattern, text) => {
    expect(matches(pattern, text)).toBe(false)
  })

  it.each([
    ['eth(', 'missing closing ): `eth(`'],
    ['[', 'missing closing ]: `[`'],
    ['*', 'missing argument to repetition operator: `*`'],
    ['(?=eth)', 'invalid or unsupported Perl syntax: `(?=`'],
    ['(?<!x)eth', 'invalid named capture: `(?<!x)eth`'],
    [String.raw`(a)\1`, String.raw`invalid escape sequence: ${'`'}\1${'`'}`],
    ['((a{100}){100}){100}', 'invalid repeat count: `{100}`'],
  ])('%s is refused: %s', (pattern, problem) => {
    expect(compileGoRegExp(pattern)).toEqual({ problem })
  })

  /** Engines that try one way after the other take 2³⁸ steps for the first, which is hours. */
  it.each(['^(([0-9a-f:]+)+)+$', '^(.*)*(.*)*(.*)*x$', '(a|aa|[0-9a-f:])*z', '^(([a-z])+.)+[A-Z]([a-z])+$'])(
    '%s takes little processor time on the longest address that does not match it',
    (pattern) => {
      const before = process.cpuUsage()
      expect(matches(pattern, 'fd00:1111:1111:1111:1111:1111:1111:111.')).toBe(false)
      expect(process.cpuUsage(before).user / 1_000).toBeLessThan(1_000)
    },
  )
})
