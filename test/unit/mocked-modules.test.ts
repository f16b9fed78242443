import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')

/** In a process that is shared, what stands for a module would not be seen by those that have the module, or would stay for others. */
it('test files that put something in the place of a module are those that vitest.config.ts gives processes of their own', () => {
  const paths = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  const files = paths.filter((path) => path.endsWith('.test.ts')).map((path) => `test/${path}`)
  const mocking = files.filter((file) => /^vi\.(?:mock|doMock)\(/m.test(readFileSync(join(ROOT, file), 'utf8')))
  const [, listed = ''] =
    /WITH_MODULES_MADE_UP = \[([^\]]*)\]/.exec(readFileSync(join(ROOT, 'vitest.config.ts'), 'utf8')) ?? []
  expect(mocking.toSorted()).toEqual(Array.from(listed.matchAll(/'([^']+)'/g), ([, path]) => path).toSorted())
})
