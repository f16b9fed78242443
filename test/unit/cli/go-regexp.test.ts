import { describe, expect, it } from 'vitest'
import { compileGoRegExp } from '../../../src/cli/go-regexp.ts'

function matches(pattern: string, text: string): boolean {
  const compiled = compileGoRegExp(pattern)
  if (!(compiled instanceof RegExp)) throw new Error(compiled.problem)
  return compiled.test(text)
}

describe('compileGoRegExp', () => {
  it.each([
    ['eth1', 'eth10'],
    ['^eth(1|2)$', 'eth2'],
    ['(?i)^ETH', 'eth0'],
    [String.raw`^192\.168\.(33|205)\.`, '192.168.205.10'],
    [String.raw`\Aens\d+\z`, 'ens18'],
    ['^(?P<kind>eth|ens)[[:digit:]]+$', 'ens3'],
    ['^[[:alpha:]_]+$', 'br_lan'],
    ['^(?:eth)0$', 'eth0'],
    [String.raw`eth\-0`, 'eth-0'],
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
  ])('%s does not match %s', (pattern, text) => {
    expect(matches(pattern, text)).toBe(false)
  })

  it.each([
    ['eth(', 'Unterminated group'],
    ['[', 'Unterminated character class'],
    ['*', 'Nothing to repeat'],
    ['eth(?i)0', '(? is not supported'],
    ['(?=eth)', '(? is not supported'],
    ['(?<!x)eth', '(? is not supported'],
    [String.raw`(a)\1`, String.raw`\1 is not supported`],
    [String.raw`\pL`, String.raw`\p is not supported`],
    ['[[:blank:]]', '[: is not supported'],
  ])('%s is refused: %s', (pattern, problem) => {
    expect(compileGoRegExp(pattern)).toEqual({ problem })
  })
})
