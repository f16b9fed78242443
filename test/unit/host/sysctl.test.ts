import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readSysctl, setSysctl, spelled } from '../../../src/host/sysctl.ts'

describe('a kernel setting', () => {
  const name = ['net', 'ipv6', 'conf', 'flannel.100', 'accept_ra']
  let root = ''
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'sysctl-'))
    await mkdir(join(root, ...name.slice(0, -1)), { recursive: true })
    await writeFile(join(root, ...name), '1\n')
  })
  afterEach(() => rm(root, { recursive: true }))

  test('is read without its line end, and written', async () => {
    expect(await readSysctl(name, root)).toBe('1')
    await setSysctl(name, '0', root)
    expect(await readFile(join(root, ...name), 'utf8')).toBe('0')
  })

  test('that is not there reads as undefined, and cannot be written', async () => {
    expect(await readSysctl(['net', 'ipv7'], root)).toBeUndefined()
    await expect(setSysctl(['net', 'ipv7'], '0', root)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('that cannot be read says why', async () => {
    await expect(readSysctl(['net'], root)).rejects.toMatchObject({ code: 'EISDIR' })
  })

  test('is spelled as sysctl(8) takes it', () => {
    expect(spelled(name)).toBe('net.ipv6.conf.flannel/100.accept_ra')
  })
})
