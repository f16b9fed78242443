import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstat, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeOutputFile } from '../../../../src/host/files/output-file.ts'
import { NoRegularFileError } from '../../../../src/host/files/regular-file.ts'
import { writeFileAtomically } from '../../../../src/host/files/atomic-file.ts'

let directory: string
let path: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'output-file-'))
  path = join(directory, 'link')
})
afterEach(() => rm(directory, { recursive: true }))

describe('a file to write that a person has named', () => {
  it.each(['missing', 'present'])('is the one a symbolic link leads to: %s', async (target) => {
    await writeFile(join(directory, 'present'), 'old and long\n')
    await symlink(target, join(directory, 'second'))
    await symlink('second', path)
    await writeOutputFile(path, 'new\n')
    expect(await readFile(join(directory, target), 'utf8')).toBe('new\n')
    expect(await readlink(path)).toBe('second')
    expect((await readdir(directory)).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('may be a device, also behind a link, and stays one', async () => {
    await symlink('/dev/null', path)
    await writeOutputFile(path, 'new\n')
    await writeOutputFile('/dev/null', 'new\n')
    expect(await readlink(path)).toBe('/dev/null')
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true)
    await expect(writeOutputFile('/dev/full', 'new\n')).rejects.toMatchObject({ code: 'ENOSPC' })
  })

  it('is no directory, which is named', async () => {
    await expect(writeOutputFile(directory, 'new\n')).rejects.toMatchObject({
      name: 'NoRegularFileError',
      message: `${directory} is a directory`,
    })
    expect(await readdir(directory)).toEqual([])
  })

  it('may be a FIFO that somebody reads; without a reader it fails at once', async () => {
    execFileSync('mkfifo', [path])
    await expect(writeOutputFile(path, 'new\n')).rejects.toMatchObject({ code: 'ENXIO' })
    const reader = spawn('sh', ['-c', 'exec 3<>"$1"; echo ready; head -n 1 <&3', 'sh', path])
    await once(reader.stdout, 'data')
    const read = once(reader.stdout, 'data')
    await writeOutputFile(path, 'new\n')
    expect(String((await read)[0])).toBe('new\n')
    expect((await lstat(path)).isFIFO()).toBe(true)
  })
})

describe('a file that is replaced as a whole', () => {
  it('is never a device or a FIFO, nor a link to one', async () => {
    execFileSync('mkfifo', [join(directory, 'fifo')])
    await symlink('/dev/null', path)
    for (const special of [path, join(directory, 'fifo'), '/dev/null'])
      await expect(writeFileAtomically(special, 'new\n')).rejects.toBeInstanceOf(NoRegularFileError)
    expect(await readlink(path)).toBe('/dev/null')
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true)
  })
})

describe('a file that is written aside', () => {
  it('is written again when somebody takes it for a leftover meanwhile', async () => {
    const removing = { now: true }
    const remover = (async () => {
      for (let removed = 0; removing.now && removed < 2; removed += await removeAside(directory)) await setImmediate()
    })()
    for (let turn = 0; turn < 200 && removing.now; turn++)
      await writeFileAtomically(join(directory, 'file'), `${turn}\n`)
    removing.now = false
    await remover
    expect(await readdir(directory)).toEqual(['file'])
  })
})

/** @returns how many */
async function removeAside(folder: string): Promise<number> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.tmp'))
  for (const name of names) await rm(join(folder, name), { force: true })
  return names.length
}
