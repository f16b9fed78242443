import { spawnSync } from 'node:child_process'
import { realpathSync } from 'node:fs'

/** What the bundle is made of: changes elsewhere do not make another one. */
const INPUTS = ['src', 'packaging', 'package.json', 'package-lock.json']

/** As many digits of the commit as nobody will find twice; git's own abbreviation depends on what else the clone holds. */
const DIGITS = 12

/**
 * The commit that the sources below `root` are, with `-dirty` when what the bundle is made of has been changed since; `unknown` out of a
 * tarball, or without git. A repository around a tarball that was unpacked in it says nothing about it.
 */
export function sourceCommit(root) {
  const git = (...args) => spawnSync('git', ['-C', root, ...args], { encoding: 'utf8' })
  const [top, head] = [git('rev-parse', '--show-toplevel'), git('rev-parse', 'HEAD')]
  if (top.status !== 0 || head.status !== 0 || realpathSync(top.stdout.trim()) !== realpathSync(root)) return 'unknown'
  const changes = git('status', '--porcelain', '--', ...INPUTS)
  const isClean = changes.status === 0 && changes.stdout === ''
  return `${head.stdout.trim().slice(0, DIGITS)}${isClean ? '' : '-dirty'}`
}
