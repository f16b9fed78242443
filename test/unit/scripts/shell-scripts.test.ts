import { describe, expect, test } from 'vitest'
import { outcomeOf } from '../../lab/command.ts'
import { ROOT, shellFiles } from './scripts.ts'

/** Said by the setup of this project, which fetches shellcheck. */
const hindrance = process.env['FLANNEL_NO_SCRIPT_TOOLS']

/** SC2317: of what several programs include, some call one function and some another. */
const OPTIONS = ['--external-sources', '--check-sourced', '--format=gcc', '--exclude=SC2317'] as const

const files = await shellFiles()
const programs = files.filter(({ isProgram }) => isProgram)

describe('the shell scripts', () => {
  test('are found, wherever they are', () => {
    expect(programs.map(({ path }) => path)).toEqual(expect.arrayContaining(['.ci/run', 'vagrant/setup.sh']))
  })

  test('leave no file unread by any program', () => {
    const read = new Set(programs.flatMap(({ sources }) => sources))
    expect(files.filter(({ isProgram, path }) => !isProgram && !read.has(path))).toEqual([])
  })

  test.skipIf(hindrance !== undefined).each(programs)(
    '$path has nothing that shellcheck objects to',
    async ({ text }) => {
      // From standard input, since this is not always the file's text; what it reads in is named from the checkout on.
      const line = ['env', '-C', ROOT, 'shellcheck', ...OPTIONS, '-'] as const
      const { code, stdout, stderr } = await outcomeOf(line, { input: text })
      expect(`${stdout}${stderr}`).toBe('')
      expect(code).toBe(0)
    },
  )
})
