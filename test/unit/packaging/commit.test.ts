import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sourceCommit } from '../../../packaging/bundle/commit.mjs'

let root: string

function git(...args: readonly string[]): string {
  const who = ['-c', 'user.name=Nobody', '-c', 'user.email=nobody@invalid', '-c', 'commit.gpgsign=false']
  return execFileSync('git', ['-C', root, ...who, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim()
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'source-commit-'))
  mkdirSync(join(root, 'src'))
  writeFileSync(join(root, 'src/main.ts'), '1')
  writeFileSync(join(root, '.gitignore'), 'build\n')
})

afterEach(() => {
  rmSync(root, { recursive: true })
})

describe('the commit that the build puts in', () => {
  const committed = (): string => {
    git('init', '--quiet')
    git('add', '.')
    git('commit', '--quiet', '-m', 'one')
    return git('rev-parse', 'HEAD').slice(0, 12)
  }

  it('is that of a clean clone, whatever lies around in it', () => {
    const commit = committed()
    writeFileSync(join(root, 'notes.txt'), 'for myself')
    writeFileSync(join(root, 'src/build'), 'ignored')
    expect(sourceCommit(root)).toBe(commit)
  })

  it.each([
    ['changed', 'src/main.ts'],
    ['added', 'src/more.ts'],
    ['added to the build', 'package.json'],
  ])('says so when a source was %s', (_, file) => {
    const commit = committed()
    writeFileSync(join(root, file), '2')
    expect(sourceCommit(root)).toBe(`${commit}-dirty`)
  })

  it('is unknown out of a tarball, also one that was unpacked inside another repository', () => {
    expect(sourceCommit(root)).toBe('unknown')
    committed()
    mkdirSync(join(root, 'vendor/src'), { recursive: true })
    expect(sourceCommit(join(root, 'vendor'))).toBe('unknown')
  })

  it('is unknown where there is no git', () => {
    committed()
    const { PATH } = process.env
    process.env['PATH'] = '/nonexistent'
    try {
      expect(sourceCommit(root)).toBe('unknown')
    } finally {
      process.env['PATH'] = PATH
    }
  })
})
