import { lchown, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { geteuid } from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { removeFile, writeFileAtomically } from '../../../../src/host/files/atomic-file.ts'
import { followLinks, ForeignLinkError } from '../../../../src/host/files/links.ts'
import { writeOutputFile } from '../../../../src/host/files/output-file.ts'

const NOBODY = 65_534
const isRoot = geteuid?.() === 0

let directory: string
const at = (...names: readonly string[]): string => join(directory, ...names)

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'links-'))
  await mkdir(at('there'))
  await writeFile(at('there', 'file'), 'old\n')
})
afterEach(() => rm(directory, { recursive: true }))

describe('a link of our own, or of root', () => {
  it.each([
    ['to the file', async () => symlink('there/file', at('link')), 'link'],
    ['to a link', async () => symlink('there/file', at('second')).then(() => symlink('second', at('link'))), 'link'],
    ['to its folder', async () => symlink(at('there'), at('link')), 'link/file'],
    ['to no file yet', async () => symlink('there/none', at('link')), 'link'],
  ])('is followed when the file is replaced, and stays: %s', async (_, make, name) => {
    await make()
    await writeFileAtomically(at(name), 'new\n')
    expect(await readFile(at(name), 'utf8')).toBe('new\n')
    expect((await lstat(at('link'))).isSymbolicLink()).toBe(true)
    expect((await readdir(at('there'))).filter((found) => found.startsWith('.'))).toEqual([])
  })

  it('is left when the file is removed', async () => {
    await symlink('there/file', at('link'))
    await removeFile(at('link'))
    expect(await readdir(at('there'))).toEqual([])
    expect((await lstat(at('link'))).isSymbolicLink()).toBe(true)
  })

  it('is an error where it leads in a circle', async () => {
    await symlink('two', at('one'))
    await symlink('one', at('two'))
    await expect(followLinks(at('one'))).rejects.toMatchObject({ code: 'ELOOP' })
  })
})

describe.runIf(isRoot)('a link of another user', () => {
  it.each([
    ['the file', async () => symlink('there/file', at('link')), 'link'],
    ['its folder', async () => symlink('there', at('link')), 'link/file'],
    [
      'a link of root',
      async () => symlink('there/file', at('second')).then(() => symlink('second', at('link'))),
      'link',
    ],
    ['no file yet', async () => symlink('there/none', at('link')), 'link'],
  ])('is named and not followed, whoever writes: to %s', async (_, make, name) => {
    await make()
    await lchown(at('link'), NOBODY, NOBODY)
    for (const write of [writeFileAtomically, writeOutputFile]) {
      const failure = await write(at(name), 'new\n').catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(ForeignLinkError)
      expect(failure).toMatchObject({
        message: `the link ${at('link')} belongs to user ${NOBODY}, and is not followed`,
      })
    }
    expect(await readdir(at('there'))).toEqual(['file'])
    expect(await readFile(at('there', 'file'), 'utf8')).toBe('old\n')
  })

  it('is removed itself, and not what it leads to', async () => {
    await symlink('there/file', at('link'))
    await lchown(at('link'), NOBODY, NOBODY)
    await removeFile(at('link'))
    expect((await readdir(directory)).sort()).toEqual(['there'])
    expect(await readdir(at('there'))).toEqual(['file'])
  })
})
