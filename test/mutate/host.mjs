/**
 * A vitest that stays warm: runs one test file at a time, as it is told on standard input, and answers on descriptor 3, a JSON
 * object a line each. Plain Node, so that the tests it starts inherit no loader.
 *
 *   node host.mjs PROJECT,PROJECT TEST-TIMEOUT-MS      in the folder whose tests are to be run
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stripVTControlCharacters } from 'node:util'
import { loadConfigFromFile } from 'vite'
import { createVitest } from 'vitest/node'

const [names, testTimeout] = process.argv.slice(2)
const root = process.cwd()
const answer = (object) => writeSync(3, `${JSON.stringify(object)}\n`)

const loaded = await loadConfigFromFile(
  { command: 'serve', mode: 'test' },
  join(root, 'vitest.config.ts'),
  root,
  'silent',
)
const projects = loaded.config.test.projects
  .filter(({ test }) => names.split(',').includes(test.name.replace(/-alone$/, '')))
  .map(({ test, ...rest }) => ({
    ...rest,
    test: {
      ...test,
      isolate: true,
      testTimeout: Number(testTimeout),
      hookTimeout: Number(testTimeout),
      setupFiles: [join(root, 'test/mutate/same-values.ts')],
    },
  }))
const vitest = await createVitest(
  'test',
  {
    config: false,
    root,
    watch: false,
    projects,
    bail: 1,
    maxWorkers: 1,
    silent: true,
    reporters: [{}],
    passWithNoTests: true,
  },
  { configFile: false, root, server: { watch: null }, logLevel: 'silent' },
)
const specifications = await vitest.globTestSpecifications()
/** The beginning of a message, without colours. */
const brief = (message) => stripVTControlCharacters(String(message)).slice(0, 300)
const below = (path) => path.slice(root.length + 1)

/** What went wrong first; undefined for a file all of whose tests passed. */
function failureOf({ testModules, unhandledErrors }) {
  for (const testModule of testModules) {
    for (const test of testModule.children.allTests('failed'))
      return { test: test.fullName, message: brief(test.result().errors?.[0]?.message) }
    const [error] = testModule.errors()
    if (error !== undefined || testModule.state() === 'failed') return { test: '', message: brief(error?.message) }
  }
  const [error] = unhandledErrors
  return error === undefined ? undefined : { test: '', message: brief(`unhandled: ${error?.message}`) }
}

async function run({ file, changed }) {
  for (const path of changed) vitest.invalidateFile(join(root, path))
  const chosen = specifications.filter(({ moduleId }) => below(moduleId) === file)
  vitest.state.filesMap.clear()
  vitest.state.idMap.clear()
  const startedAt = performance.now()
  const failure = failureOf(await vitest.runTestSpecifications(chosen))
  answer({ durationMs: Math.round(performance.now() - startedAt), ...(failure === undefined ? {} : { failure }) })
}

answer({
  files: specifications.map(({ moduleId, project }) => ({
    file: below(moduleId),
    project: project.name.replace(/-alone$/, ''),
  })),
})
for await (const line of createInterface({ input: process.stdin })) await run(JSON.parse(line))
await vitest.close()
process.exit(0)
