import { describe, expect, test } from 'vitest'
import { mutatedSource } from '../../mutate/mutant.ts'
import { mutantsOf } from '../../mutate/mutators/index.ts'
import { oneFile } from './one-file.ts'

/** What becomes of a text, each mutant with its kind. */
function mutants(text: string): readonly string[] {
  const { source, types } = oneFile(text)
  return mutantsOf(source, 'src/one.ts', types).map((mutant) => `${mutant.kind}: ${mutatedSource(text, mutant)}`)
}

describe('a mutant', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['const x = a < b', ['comparison: const x = a <= b', 'comparison: const x = a >= b']],
    ['const x = a === b', ['comparison: const x = a !== b']],
    ['const x = a && b', ['logic: const x = a || b']],
    ['const x = a ?? b', ['default: const x = (b)', 'default: const x = (a)!']],
    ['const x = a[b] ?? 0', ['default: const x = (0)']],
    ['const x = a * 2', ['arithmetic: const x = a / 2']],
    ['const x = !a', ['unary: const x = a']],
    ['const x = -a', ['unary: const x = +a']],
    ['const x = a?.b', ['optional chain: const x = a!.b']],
    ['const x = a?.(1)', ['optional chain: const x = a!(1)']],
    ['const x = a?.[0]', ['optional chain: const x = a![0]']],
    ['const x = a ? b : c', ['condition: const x = true ? b : c', 'condition: const x = false ? b : c']],
    ['if (a) b()', ['condition: if (true) b()', 'condition: if (false) b()', 'removed statement: if (a) ;']],
    ['while (true) break', ['literal: while (false) break', 'removed jump: while (true) ;']],
    ['throw a', ['removed throw: ;']],
    ['const x = true', ['literal: const x = false']],
    ["const x = 'text'", ["emptied text: const x = ''"]],
    ['const x = `${a}`', ["emptied text: const x = ''"]],
    ['const x = [a]', ['emptied list: const x = []']],
    ['const x = a.some(b)', ['method: const x = a.every(b)']],
    ['const x = a.filter(b)', ['method: const x = a']],
    ['async () => { await a }', ['removed statement: async () => { ; }', 'removed await: async () => { a }']],
    ['try { } catch { a() }', ['emptied block: try { } catch {}', 'removed statement: try { } catch { ; }']],
  ]
  test.each(cases)('%s', (text, expected) => {
    expect(mutants(text).filter((mutant) => mutant !== 'removed statement: ;')).toEqual(expected)
  })

  test('returns constants of the type of what was returned', () => {
    expect(mutants('const f = (a: number) => a')).toEqual(['returned constant: const f = (a: number) => 0'])
    expect(mutants('const f = (a?: string[]) => a')).toEqual([
      'returned constant: const f = (a?: string[]) => undefined',
      'returned constant: const f = (a?: string[]) => []',
    ])
    expect(mutants('function f(a: boolean) { return a }')).toEqual([
      'removed return: function f(a: boolean) { ; }',
      'returned constant: function f(a: boolean) { return true }',
      'returned constant: function f(a: boolean) { return false }',
    ])
  })

  test('leaves texts for people, types and names of modules alone', () => {
    expect(mutants("log.warn('a text', { a: `b` })")).toEqual(['removed statement: ;'])
    expect(mutants("log.debug('a text', a < b)")).toEqual([])
    expect(mutants("if (a < b) log.debug('a text')")).toEqual([])
    expect(mutants("f('the lease is gone')")).toEqual(['removed statement: ;'])
    expect(mutants('const f = (a: number) => `${a} leases are gone now`')).toEqual([])
    expect(mutants("f('-A FORWARD -j X', 'ip link show')")).toHaveLength(3)
    expect(mutants("throw new SomeError('a text')")).toEqual(['removed throw: ;'])
    expect(mutants("import a from 'b'")).toEqual([])
    expect(mutants("export * from 'b'")).toEqual([])
    expect(mutants("type A = 'a' | true")).toEqual([])
    expect(mutants("const x: 'a' = b as 'a'")).toEqual([])
    expect(mutants("const x = { 'a-b': c }")).toEqual([])
  })

  test('has the whole lines before and after, and the line that it begins on', () => {
    const text = 'const a = 1\nif (a\n  < 2) b\n'
    const { source, types } = oneFile(text)
    const [found] = mutantsOf(source, 'src/one.ts', types).filter(({ kind }) => kind === 'condition')
    expect(found).toMatchObject({ line: 2, original: 'if (a < 2) b', mutated: 'if (true) b' })
  })
})
