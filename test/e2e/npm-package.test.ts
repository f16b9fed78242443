import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputOf } from '../lab/command.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** In the laboratory's namespace: there is no network, and so no registry. */
describe('what npm packs', () => {
  let folder: string
  let prefix: string
  let list: readonly string[]
  const npm = (...args: readonly string[]): Promise<string> => outputOf(['npm', '--offline', ...args])
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'npm-package-'))
    prefix = join(folder, 'prefix')
    await outputOf(['sh', '-ec', `cd '${ROOT}' && npm pack --silent --pack-destination '${folder}'`])
    const tarball = join(folder, (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? 'none')
    list = (await outputOf(['tar', '-tzf', tarball])).split('\n')
    await npm('install', '--global', '--prefix', prefix, tarball)
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('holds the bundle and what its install script needs, and nothing that only builds or tests', () => {
    for (const file of [
      'dist/flanneld.cjs',
      'dist/netlink.node',
      'dist/page.html',
      'packaging/addon.mjs',
      'src/native/netlink.c',
    ])
      expect(list).toContain(`package/${file}`)
    expect(list.filter((path) => /^package\/(?:test|dist\/packages|dist\/flanneld$|src\/main)/.test(path))).toEqual([])
  })

  test('is installed without a network and brings no other package along', async () => {
    expect(await readdir(join(prefix, 'lib/node_modules'))).toEqual(['flannel-agent'])
    expect(await readdir(join(prefix, 'lib/node_modules/flannel-agent'))).not.toContain('node_modules')
  })

  test('runs by its name, with the addon that it brought, and changes the kernel', async () => {
    const flanneld = join(prefix, 'bin/flanneld')
    expect(await outputOf([flanneld, '--version'])).toContain(
      `netlink addon ${prefix}/lib/node_modules/flannel-agent/dist`,
    )
    expect(await outputOf([flanneld, '--licenses'])).toContain('\netcd3 ')
    await outputOf(['ip', 'route', 'add', 'blackhole', '10.97.0.0/20', 'proto', '70'])
    const cleaned = await outputOf([flanneld, 'cleanup', `--subnet-file=${folder}/subnet.env`])
    expect(cleaned).toBe('removed blackhole route 10.97.0.0/20\n')
    expect(await outputOf(['ip', 'route', 'show', 'table', 'all', 'proto', '70'])).toBe('')
  })

  test('is uninstalled without a trace', async () => {
    await npm('uninstall', '--global', '--prefix', prefix, 'flannel-agent')
    expect(await readdir(join(prefix, 'bin'))).toEqual([])
    expect(await readdir(join(prefix, 'lib/node_modules'))).toEqual([])
  })
})
