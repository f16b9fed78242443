import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { removeFile, writeFileAtomically } from '../../src/host/files/atomic-file.ts'

const OLD = 'FLANNEL_MTU=1450\n'

let directory: string
let path: string

/** A file system of two pages (one for the file there is), which only we see. */
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'subnet-env-'))
  path = join(directory, 'subnet.env')
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', directory])
  await writeFile(path, OLD)
})

afterEach(async () => {
  execFileSync('umount', ['--lazy', directory])
  await rm(directory, { recursive: true })
})

describe('the subnet file on a file system that fails', () => {
  it('stays whole when there is no room for the new one, and nothing lies beside it', async () => {
    await expect(writeFileAtomically(path, 'x'.repeat(10_000))).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await readFile(path, 'utf8')).toBe(OLD)
    expect(await readdir(directory)).toEqual(['subnet.env'])
    await writeFileAtomically(path, 'fits\n')
    expect(await readFile(path, 'utf8')).toBe('fits\n')
  })

  it('stays whole when the file system is read-only', async () => {
    execFileSync('mount', ['-o', 'remount,bind,ro', directory])
    await expect(writeFileAtomically(path, 'new\n')).rejects.toMatchObject({ code: 'EROFS' })
    expect(await readFile(path, 'utf8')).toBe(OLD)
  })
})

describe('a subnet file that is itself a mount', () => {
  const source = (): string => join(directory, 'source')

  beforeEach(async () => {
    await writeFile(source(), 'former, and longer than what comes\n')
    execFileSync('mount', ['--bind', source(), path])
  })
  afterEach(() => {
    execFileSync('umount', ['--lazy', path])
  })

  it('is written in place, so that whoever has mounted it sees that', async () => {
    await writeFileAtomically(path, 'new\n')
    expect(await readFile(source(), 'utf8')).toBe('new\n')
    expect((await readdir(directory)).sort()).toEqual(['source', 'subnet.env'])
  })

  it('is written also where its folder is read-only', async () => {
    execFileSync('mount', ['-o', 'remount,bind,ro', directory])
    await writeFileAtomically(path, 'new\n')
    expect(await readFile(path, 'utf8')).toBe('new\n')
  })

  it('is emptied instead of removed', async () => {
    await removeFile(path)
    expect(await readFile(source(), 'utf8')).toBe('')
  })
})
