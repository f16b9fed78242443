import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outcomeOf, outputOf } from '../lab/command.ts'
import { Packages } from './packages.ts'

/** A script holds all functions of its library: those that it does not call are no mistake (SC2317). */
const SHELLCHECK = ['shellcheck', '--shell=sh', '--exclude=SC2317'] as const
const LONG = { timeoutMs: 240_000 }

describe("what others' checkers say of the packages", () => {
  let folder = ''
  let packages: Packages

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lint-'))
    packages = await Packages.build()
    await outputOf(['dpkg-deb', '--raw-extract', packages.file('.deb'), join(folder, 'deb')], LONG)
    await outputOf(['tar', 'xzf', packages.file('.tar.gz'), '-C', folder, '--strip-components=1'], LONG)
  }, 300_000)
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('lintian has nothing against the .deb but what is overridden with a reason', async () => {
    const { code, stdout } = await outcomeOf(['lintian', '--no-cfg', '--allow-root', packages.file('.deb')], LONG)
    expect([code, stdout.replace(/^N: .*\n/gm, '')]).toEqual([0, ''])
  }, 300_000)

  test.each([
    'deb/DEBIAN/preinst',
    'deb/DEBIAN/postinst',
    'deb/DEBIAN/prerm',
    'deb/DEBIAN/postrm',
    'install.sh',
    'uninstall.sh',
  ])('shellcheck has nothing against %s', async (script) => {
    expect(await outcomeOf([...SHELLCHECK, join(folder, script)])).toMatchObject({ code: 0, stdout: '' })
  })

  test('zsh can read its completion, and offers the flags', async () => {
    const file = join(folder, 'deb/usr/share/zsh/vendor-completions/_flanneld')
    expect(await outcomeOf(['zsh', '-n', file])).toMatchObject({ code: 0, stderr: '' })
    // In place of what zsh would draw, the words that it is given.
    const script = `_arguments() { print -l -- "$@" }; _describe() { : }; words=(flanneld --); CURRENT=3; source ${file}`
    expect(await outputOf(['zsh', '-fc', script])).toMatch(/^--etcd-endpoints=\[.*\]:urls: $/m)
  })
})
