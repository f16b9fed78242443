import { join } from 'node:path'
import { expect, test } from 'vitest'
import { keyOf, readEquivalents } from '../../mutate/equivalent.ts'
import { allMutants } from '../../mutate/sample.ts'
import { Sources } from '../../mutate/sources.ts'

const ROOT = join(import.meta.dirname, '../../..')

test('every mutant listed as equivalent is one that can be made, and has a reason', () => {
  const listed = readEquivalents(ROOT)
  const sources = new Sources(ROOT)
  const files = [...new Set(listed.map(({ file }) => file))]
  const made = new Set(files.flatMap((file) => allMutants(sources, [file])).map(keyOf))
  expect(listed.filter((each) => !made.has(keyOf(each)) || each.reason === '')).toEqual([])
})
