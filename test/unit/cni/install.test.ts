import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { installCni, type Installed } from '../../../src/cni/install/install.ts'
import { namesBefore, readPluginList } from '../../../src/cni/install/list.ts'

const LIST = JSON.stringify({
  name: 'cbr0',
  cniVersion: '1.0.0',
  plugins: [{ type: 'flannel', delegate: { hairpinMode: true } }, { type: 'portmap' }],
})
const PROGRAM = Buffer.alloc(3_000_000, 'flanneld')

describe('a node on which the plugin is installed', () => {
  let folder = ''
  const at = (...path: readonly string[]): string => join(folder, ...path)
  const binDir = () => at('opt/cni/bin')
  const target = () => at('etc/cni/net.d/10-flannel.conflist')
  const install = (): Promise<Installed> =>
    installCni({
      ...{ plugin: at('flanneld'), binDir: binDir() },
      list: { source: at('cni-conf.json'), target: target() },
    })
  const program = async (name: string): Promise<void> => {
    await mkdir(binDir(), { recursive: true })
    await writeFile(join(binDir(), name), '#!/bin/sh\n', { mode: 0o755 })
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'install-cni-'))
    await writeFile(at('flanneld'), PROGRAM, { mode: 0o755 })
    await writeFile(at('cni-conf.json'), LIST)
  })
  afterEach(() => rm(folder, { recursive: true }))

  test('gets both, in folders that are made, and nothing else', async () => {
    const { done } = await install()
    expect(done).toEqual([`${join(binDir(), 'flannel')} written`, `${target()} written`])
    expect((await readFile(join(binDir(), 'flannel'))).equals(PROGRAM)).toBe(true)
    expect((await stat(join(binDir(), 'flannel'))).mode & 0o777).toBe(0o755)
    expect(await readFile(target(), 'utf8')).toBe(LIST)
    expect([await readdir(binDir()), await readdir(at('etc/cni/net.d'))]).toEqual([
      ['flannel'],
      ['10-flannel.conflist'],
    ])
  })

  test('that has both already is not written to', async () => {
    await install()
    const files = [join(binDir(), 'flannel'), target()]
    const inodes = async () => Promise.all(files.map(async (file) => (await stat(file)).ino))
    const before = await inodes()
    expect((await install()).done).toEqual(files.map((file) => `${file} is what it should be`))
    expect(await inodes()).toEqual(before)
  })

  test.each([
    ['another program of the same size', () => writeFile(join(binDir(), 'flannel'), Buffer.alloc(3_000_000, 'x'))],
    ['one that cannot be run', () => chmod(join(binDir(), 'flannel'), 0o644)],
    ['half of it', () => writeFile(join(binDir(), 'flannel'), PROGRAM.subarray(0, 1_000))],
  ])('has %s replaced, whoever runs it', async (_, change) => {
    await install()
    await change()
    const { ino } = await stat(join(binDir(), 'flannel'))
    await install()
    const found = await stat(join(binDir(), 'flannel'))
    expect([found.mode & 0o777, found.ino === ino]).toEqual([0o755, false])
    expect((await readFile(join(binDir(), 'flannel'))).equals(PROGRAM)).toBe(true)
  })

  test("has a package's link replaced, and what it leads to left alone", async () => {
    await mkdir(binDir(), { recursive: true })
    await writeFile(at('packaged'), 'of a package')
    await symlink(at('packaged'), join(binDir(), 'flannel'))
    await install()
    expect((await lstat(join(binDir(), 'flannel'))).isFile()).toBe(true)
    expect(await readFile(at('packaged'), 'utf8')).toBe('of a package')
  })

  test('keeps what it has where the list is none', async () => {
    await writeFile(at('cni-conf.json'), '{"name":"cbr0","plugins":[{"type":"bridge"}]}')
    await expect(install()).rejects.toThrow('plugins: expected one with the type "flannel", found ["bridge"]')
    expect(await readdir(folder)).toEqual(['cni-conf.json', 'flanneld'])
  })

  test('is left as it was where a folder stands in the place of the plugin', async () => {
    await mkdir(join(binDir(), 'flannel'), { recursive: true })
    await expect(install()).rejects.toThrow('is a directory')
    expect(await readdir(binDir())).toEqual(['flannel'])
  })

  test('gets the plugin alone where the list comes from elsewhere', async () => {
    expect((await installCni({ plugin: at('flanneld'), binDir: binDir(), list: undefined })).done).toHaveLength(1)
    expect(await readdir(folder)).toEqual(['cni-conf.json', 'flanneld', 'opt'])
  })

  test('is told which other plugins are missing, and which lists come first', async () => {
    for (const name of ['bridge', 'host-local', 'loopback']) await program(name)
    await mkdir(at('etc/cni/net.d'), { recursive: true })
    for (const name of ['05-cilium.conflist', '10-flannel.conf', '20-later.conflist', '00-notes.txt'])
      await writeFile(at('etc/cni/net.d', name), '{}')
    const { warnings } = await install()
    expect(warnings).toHaveLength(2)
    expect(warnings[0]).toContain(`portmap not found in ${binDir()}`)
    expect(warnings[1]).toContain(
      `${at('etc/cni/net.d/05-cilium.conflist')}, ${at('etc/cni/net.d/10-flannel.conf')} before ${target()}`,
    )
    await program('portmap')
    expect((await install()).warnings).toHaveLength(1)
  })
})

describe('a list of plugins', () => {
  const read = (plugins: unknown) => readPluginList('cni-conf.json', JSON.stringify({ name: 'cbr0', plugins }))

  test('needs the delegate and its address management, as it names them or by default', () => {
    expect(read([{ type: 'flannel' }, { type: 'portmap' }, { type: 'bandwidth' }]).needs).toEqual([
      ...['bridge', 'host-local', 'portmap', 'bandwidth', 'loopback'],
    ])
    expect(read([{ type: 'flannel', delegate: { type: 'ptp' }, ipam: { type: 'dhcp' } }]).needs).toEqual([
      ...['ptp', 'dhcp', 'loopback'],
    ])
  })

  test.each([
    ['no JSON', '{', 'cni-conf.json: expected valid JSON'],
    ['no name', '{"plugins":[{"type":"flannel"}]}', 'name: expected the name of the network'],
    ['a plugin, and no list', '{"name":"x","type":"flannel"}', 'plugins: expected an array of plugins, found nothing'],
    ['a plugin without a type', '{"name":"x","plugins":[{"type":"flannel"},{}]}', 'plugins: expected a "type"'],
    ['a path for a type', '{"name":"x","plugins":[{"type":"../flannel"}]}', 'plugins: expected a "type"'],
  ])('that is %s is refused with the field', (_, text, message) => {
    expect(() => readPluginList('cni-conf.json', text)).toThrow(message)
  })

  test('comes after those whose names are less, octet by octet', () => {
    const names = ['10-flannel.conf', '10-Flannel.conflist', '9.conflist', '10-flannel.conflist', '1.json', '0.bak']
    expect(namesBefore('10-flannel.conflist', names)).toEqual(['1.json', '10-Flannel.conflist', '10-flannel.conf'])
  })
})
