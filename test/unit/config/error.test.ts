import { describe, expect, it } from 'vitest'
import { ConfigError, describeValue } from '../../../src/config/error.ts'

describe('ConfigError', () => {
  it('says where, what was expected and what was found', () => {
    const error = new ConfigError('Backend.VNI', 'a whole number', 'x')
    expect(error.message).toBe('Backend.VNI: expected a whole number, found "x"')
    expect(error).toMatchObject({ name: 'ConfigError', path: 'Backend.VNI', expected: 'a whole number', got: '"x"' })
  })
})

describe('describeValue', () => {
  it.each([
    [undefined, 'nothing'],
    [null, 'null'],
    ['10.0.0.0', '"10.0.0.0"'],
    [31, '31'],
    [-Infinity, 'a number beyond all that can be told apart'],
    [{ a: [1] }, '{"a":[1]}'],
    ['a\nb', '"a\\nb"'],
  ])('shows %j as %s', (value, shown) => {
    expect(describeValue(value)).toBe(shown)
  })

  it('shows a bigint, which JSON cannot', () => {
    expect(describeValue(7n)).toBe('7')
  })

  it('cuts what would flood a log line, and says how much there was', () => {
    const shown = describeValue('x'.repeat(100_000))
    expect(shown.length).toBeLessThan(160)
    expect(shown).toContain('(100002 characters)')
  })

  it('survives a value nested more deeply than it can be shown', () => {
    const deep: unknown = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))
    expect(describeValue(deep)).toBe('a value nested too deeply to show')
  })
})
