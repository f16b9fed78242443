import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host, TestFile } from './host.ts'
import { instrumented, type Region } from './instrument.ts'
import type { Mutant } from './mutant.ts'
import type { Sources } from './sources.ts'

/** What a test file runs of `src/`, by numbers of regions. */
export interface TestReach extends TestFile {
  readonly durationMs: number
  readonly regions: readonly number[]
  /** Whether it runs the bundle. */
  readonly usesBundle: boolean
}

export interface Reach {
  readonly regions: readonly Region[]
  readonly tests: readonly TestReach[]
  /** Test files that fail without any mutant, and so cannot notice one. */
  readonly broken: readonly string[]
}

/** A file that takes longer has hung. */
const LONGEST_FILE_MS = 300_000

const INPUTS = ['src', 'test', 'packaging', 'vitest.config.ts', 'package.json', 'package-lock.json']
/** Changing it changes no test. */
const NO_INPUT = 'test/mutate/equivalent.json'

function hashOf(root: string, parts: readonly string[]): string {
  const hash = createHash('sha256').update(parts.join())
  const add = (path: string, isFolder: boolean): void => {
    if (path === NO_INPUT) return
    if (!isFolder) {
      hash
        .update(path)
        .update('\0')
        .update(readFileSync(join(root, path)))
      return
    }
    const entries = readdirSync(join(root, path), { withFileTypes: true })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1)))
      if (entry.isDirectory() || entry.isFile()) add(`${path}/${entry.name}`, entry.isDirectory())
  }
  for (const input of INPUTS) add(input, !input.includes('.'))
  return hash.digest('hex')
}

/** Has every file of `src/` in every tree tell what is run of it. @returns what the numbers mean */
function instrumentAll(hosts: readonly Host[], sources: Sources): readonly Region[] {
  const regionsOf = ({ tree }: Host): readonly Region[] => {
    const regions: Region[] = []
    for (const file of sources.files)
      tree.write(file, instrumented(sources.source(file), file, regions, tree.reachFile))
    if (!tree.bundle()) throw new Error('the bundle of the instrumented sources cannot be made')
    return regions
  }
  return hosts.map(regionsOf)[0] ?? []
}

function reachOf(test: TestFile, durationMs: number, lines: readonly string[]): TestReach {
  const regions = [...new Set(lines.map((line) => Number(line.slice(1))))]
  return { ...test, durationMs, regions, usesBundle: lines.some((line) => line.startsWith('b')) }
}

/** Runs every test file once, by whichever host is free. */
async function runAll(
  hosts: readonly Host[],
  files: readonly TestFile[],
  done: (host: Host, file: TestFile, ended: Awaited<ReturnType<Host['run']>>) => void,
): Promise<void> {
  const queue = files.values()
  const work = async (host: Host): Promise<void> => {
    for (const file of queue) done(host, file, await host.run(file.file, [], LONGEST_FILE_MS))
  }
  await Promise.all(hosts.map(work))
}

async function measure(hosts: readonly Host[], sources: Sources): Promise<Reach> {
  const regions = instrumentAll(hosts, sources)
  const [files = []] = await Promise.all(hosts.map((host) => host.open()))
  const tests: TestReach[] = []
  const suspects: TestFile[] = []
  await runAll(hosts, files, (host, file, ended) => {
    const durationMs = ended.how === 'timed out' ? LONGEST_FILE_MS : ended.durationMs
    const test = reachOf(file, durationMs, host.tree.takeReached())
    if (test.regions.length > 0) tests.push(test)
    if (test.regions.length > 0 && ended.how !== 'passed') suspects.push(file)
  })
  await restoreAll(hosts, sources)
  const broken: string[] = []
  await runAll(hosts, suspects, (_, file, ended) => {
    if (ended.how !== 'passed') broken.push(file.file)
  })
  return { regions, tests: tests.filter(({ file }) => !broken.includes(file)), broken }
}

async function restoreAll(hosts: readonly Host[], sources: Sources): Promise<void> {
  for (const { tree } of hosts) {
    for (const file of sources.files) tree.write(file, sources.source(file).text)
    tree.bundle()
  }
  await Promise.all(hosts.map((host) => host.open()))
}

export interface ReachInput {
  readonly root: string
  readonly hosts: readonly Host[]
  readonly sources: Sources
  readonly projects: readonly string[]
}

/** What every test file reaches: measured by running each once, or remembered from a run on the same files. */
export async function findReach({ root, hosts, sources, projects }: ReachInput): Promise<Reach> {
  const folder = join(root, '.cache', 'mutate')
  const path = join(folder, `reach-${projects.join('-')}.json`)
  const key = hashOf(root, [process.version, ...projects])
  try {
    const kept = JSON.parse(readFileSync(path, 'utf8')) as Reach & { readonly key: string }
    if (kept.key === key) return kept
  } catch {
    // There is none yet.
  }
  const reach = await measure(hosts, sources)
  mkdirSync(folder, { recursive: true })
  writeFileSync(path, JSON.stringify({ key, ...reach }))
  return reach
}

/** Says which tests reach a mutant. */
export class ReachIndex {
  readonly #reach: Reach
  readonly #byRegion = new Map<number, TestReach[]>()
  readonly #byFile = new Map<string, number[]>()

  constructor(reach: Reach) {
    this.#reach = reach
    for (const [number, { file }] of reach.regions.entries())
      this.#byFile.set(file, [...(this.#byFile.get(file) ?? []), number])
    for (const test of reach.tests)
      for (const number of test.regions) this.#byRegion.set(number, [...(this.#byRegion.get(number) ?? []), test])
  }

  testsOf({ file, probe }: Pick<Mutant, 'file' | 'probe'>): readonly TestReach[] {
    const numbers = this.#byFile.get(file) ?? []
    const around = numbers.filter((number) => {
      const region = this.#reach.regions[number]
      return region !== undefined && region.start <= probe && probe < region.end
    })
    // The innermost; outside of any, such as the default of a parameter, whoever runs anything of the file.
    const innermost = around.toSorted((a, b) => this.#lengthOf(a) - this.#lengthOf(b)).slice(0, 1)
    const chosen = innermost.length > 0 ? innermost : numbers
    return [...new Set(chosen.flatMap((number) => this.#byRegion.get(number) ?? []))]
  }

  #lengthOf(number: number): number {
    const region = this.#reach.regions[number]
    return region === undefined ? 0 : region.end - region.start
  }
}
