import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { obstacleAt, readRegularFile } from '../../../../src/host/files/regular-file.ts'
import { fileSays, readPreviousSubnets } from '../../../../src/host/subnet-env.ts'

let directory: string
const at = (name: string): string => join(directory, name)

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regular-file-'))
  await writeFile(at('file'), 'text\n')
  await symlink(at('file'), at('link'))
  await symlink(at('nowhere'), at('dangling'))
  await symlink('/dev/zero', at('device'))
  execFileSync('mkfifo', [at('fifo')])
})

afterEach(() => rm(directory, { recursive: true }))

describe('a regular file', () => {
  it.each(['file', 'link'])('is read: %s', async (name) => {
    expect(await readRegularFile(at(name))).toBe('text\n')
    expect(await obstacleAt(at(name))).toBeUndefined()
  })

  it.each([
    ['fifo', 'a FIFO'],
    ['.', 'a directory'],
    ['device', 'a character device'],
  ])('is not %s, which is not waited for', async (name, kind) => {
    await expect(readRegularFile(at(name))).rejects.toMatchObject({ name: 'NoRegularFileError', kind })
    expect(await obstacleAt(at(name))).toBe(kind)
    expect(await fileSays(at(name), 'text\n')).toBe(false)
    expect(await readPreviousSubnets(at(name))).toEqual([])
  })

  it.each(['nothing', 'dangling', 'file/below'])('may come to be where there is none: %s', async (name) => {
    expect(await obstacleAt(at(name))).toBeUndefined()
    await expect(readRegularFile(at(name))).rejects.toHaveProperty('code')
  })
})
