#!/usr/bin/env node
/**
 * Builds a kube-apiserver, and what renders charts, of their authors' Go modules, for tests alone, into `.cache/kube/<hash of what they are made of>/`. Minutes on a
 * machine that has never built them, seconds on one whose Go remembers. As a program (`node test/setup/kube-programs.mjs`) it does so behind
 * everything else (`nice`), and ends with 0 when they are there, else with 1 and a line that says why not. Whoever needs them waits for a build that runs
 * (test/kube/server/programs.ts).
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CACHE, ROOT, say } from './shell.mjs'

const MODULE = join(ROOT, 'test/kube/programs')
const PLACE = join(CACHE, 'kube')

/** What is built, by name; `version`: the package that is told which version of `module` it is. */
const PROGRAMS = {
  chart: { folder: './chart' },
  'kube-apiserver': { folder: './apiserver', version: 'k8s.io/component-base/version', module: 'k8s.io/kubernetes' },
}

/** Of the module's files alone: what they name is fixed by hashes in go.sum. */
export function kubeFolder() {
  const hash = createHash('sha256').update(process.arch)
  for (const name of ['go.mod', 'go.sum', 'apiserver/main.go', 'chart/main.go'])
    hash.update(readFileSync(join(MODULE, name)))
  return join(PLACE, hash.digest('hex').slice(0, 16))
}

export const kubeProgram = (name) => join(kubeFolder(), name)
const isBuilt = () => Object.keys(PROGRAMS).every((name) => existsSync(kubeProgram(name)))

/** Held for as long as a build runs. */
export const kubeLock = () => join(PLACE, 'lock')

/** A file that says why they could not be built, for whoever waits for them. */
export const kubeProblem = () => kubeProgram('problem')

/** @returns why they cannot be built; undefined when they are there */
export function buildKubePrograms() {
  if (isBuilt()) return undefined
  if (spawnSync('go', ['version']).status !== 0) return 'there is no Go on this machine'
  mkdirSync(kubeFolder(), { recursive: true })
  const wanted = Object.entries(PROGRAMS).filter(([name]) => !existsSync(kubeProgram(name)))
  for (const [name, program] of wanted) {
    const problem = build(name, program)
    if (problem !== undefined) return problem
  }
  removeFormer()
  return undefined
}

/** What the linker is told: the module's version as go.mod has it, which the program answers by. */
function versionFlags({ version, module }) {
  if (version === undefined) return []
  const required = readFileSync(join(MODULE, 'go.mod'), 'utf8')
  const [, number, major, minor] = new RegExp(`^\\s*${module} (v(\\d+)\\.(\\d+)\\S*)$`, 'm').exec(required) ?? []
  return [`gitVersion=${number}`, `gitMajor=${major}`, `gitMinor=${minor}`].map((text) => `-X ${version}.${text}`)
}

function build(name, program) {
  const [target, fresh] = [kubeProgram(name), `${kubeProgram(name)}.${process.pid}`]
  const linker = ['-s', '-w', ...versionFlags(program)].join(' ')
  const line = ['build', '-mod=readonly', '-trimpath', '-ldflags', linker, '-o', fresh, program.folder]
  // Whoever has the lock first builds; the others find what it has made.
  const script = 'target=$1 fresh=$2; shift 2; [ -e "$target" ] || { nice -n 10 go "$@" && mv "$fresh" "$target"; }'
  const { status, stderr } = spawnSync('flock', [kubeLock(), 'sh', '-c', script, 'sh', target, fresh, ...line], {
    cwd: MODULE,
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '' },
    encoding: 'utf8',
    stdio: ['ignore', 2, 'pipe'],
  })
  rmSync(fresh, { force: true })
  return status === 0 ? undefined : `go build of ${name}: ${stderr.trim().split('\n').slice(-3).join('; ')}`
}

const KEPT_MS = 24 * 3_600_000

/** Of what was built of other files; who tests those now is left what is theirs. */
function removeFormer() {
  for (const name of readdirSync(PLACE)) {
    const path = join(PLACE, name)
    if (/^[0-9a-f]{16}$/.test(name) && path !== kubeFolder() && Date.now() - statSync(path).mtimeMs > KEPT_MS)
      rmSync(path, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problem = buildKubePrograms()
  if (problem !== undefined) {
    mkdirSync(kubeFolder(), { recursive: true })
    writeFileSync(kubeProblem(), problem)
  }
  if (problem !== undefined) say(`No real Kubernetes API server for tests: ${problem}`)
  process.exitCode = problem === undefined ? 0 : 1
}
