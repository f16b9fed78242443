import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBrowser } from './browser.mjs'
import { ensureNode24, runsNode24 } from './node24.mjs'
import { ROOT, run, say } from './shell.mjs'
import { logPath, PROGRAMS, PROJECTS, ROWS, selection, shardsOf, vitest } from './vitest.mjs'

/** Long, and about the kernel, etcd and Docker more than about Node: run on one Node version only. */
const ONCE = ['e2e', 'root', 'faults', 'etcd', 'kube']

/** Of each property on the Node that is not the one for everything, unless somebody asks for a number: sequences are long there too. */
const FEWER_RUNS = '500'

const bin = (name) => join(ROOT, 'node_modules', '.bin', name)
const heading = (text) => say(`\n── ${text}`)

const NOTHING = { passed: 0, failures: [], skipped: 0 }
const add = (a, b) => ({
  passed: a.passed + b.passed,
  failures: [...a.failures, ...b.failures],
  skipped: a.skipped + b.skipped,
})
const asCheck = (name, ok) => (ok ? { ...NOTHING, passed: 1 } : { ...NOTHING, failures: [name] })

async function check(name, commands) {
  heading(name)
  for (const [command, ...args] of commands) if ((await run(command, args)) !== 0) return asCheck(name, false)
  return asCheck(name, true)
}

const lint = () =>
  check('lint', [
    [bin('eslint'), '.'],
    [bin('prettier'), '--check', '--log-level=warn', '.'],
  ])
/** The page runs in browsers, and is checked against what those have. */
const types = () =>
  check('types', [
    [bin('tsc'), '--noEmit'],
    [bin('tsc'), '--noEmit', '-p', 'src/page/view'],
  ])

/** How many tests ended which way, and which failed; whatever neither passed nor failed was skipped. */
function countTests(tests, label) {
  const passed = tests.filter(({ status }) => status === 'passed').length
  const failures = tests
    .filter(({ status }) => status === 'failed')
    .map(({ name, reason = '' }) => [`${name} (Node ${label})`, ...reason.split('\n')].join('\n    '))
  return { passed, failures, skipped: tests.length - passed - failures.length }
}

/** Runs one part among others: its output is shown in one piece, at its end. */
async function vitestAside(node, label, part) {
  const log = logPath(`${part.name.replaceAll(/[ /]/g, '-')}-${label}`)
  try {
    return await vitest(node, part, log)
  } finally {
    heading(`${part.name} on Node ${label}`)
    process.stderr.write(readFileSync(log))
  }
}

/** `programs`: by project, what it tests instead of the bundle. */
async function projects(node, label, names, extra, programs = {}) {
  let counts = NOTHING
  for (const row of ROWS) {
    const parts = row
      .filter((name) => names.includes(name))
      .flatMap((name) => shardsOf(name, extra))
      .map((part) => ({ ...part, program: programs[part.project] }))
    if (parts.length === 0) continue
    heading(`${parts.map(({ name }) => name).join(' beside ')} on Node ${label}`)
    const work = async (part) =>
      countTests(await (parts.length > 1 ? vitestAside(node, label, part) : vitest(node, part)), label)
    counts = add(counts, await fewAtOnce(parts, work))
  }
  return counts
}

/** Parts of a row that run at the same time: more would wait for a processor, and not for daemons. */
const MOST_AT_ONCE = 8

/** Does the work of each part, beginning with the first; the next begins when one of those that run has ended. */
async function fewAtOnce(parts, work) {
  const waiting = [...parts]
  let sum = NOTHING
  const inTurn = async () => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      const counts = await work(part)
      sum = add(sum, counts)
    }
  }
  await Promise.all(Array.from({ length: MOST_AT_ONCE }, inTurn))
  return sum
}

const onThisNode = (names, extra) => projects(process.execPath, process.versions.node.split('.')[0], names, extra)

/** The path of a Node 24 other than the running one. A failure to get one is said, and counts. */
function otherNode() {
  if (runsNode24()) return { counts: NOTHING }
  try {
    return { node: ensureNode24(), counts: NOTHING }
  } catch (error) {
    say(`Node 24: ${error.message}`)
    return { counts: asCheck('Node 24', false) }
  }
}

async function withFewerRuns(work) {
  if (process.env.FUZZ_RUNS !== undefined) return work()
  process.env.FUZZ_RUNS = FEWER_RUNS
  try {
    return await work()
  } finally {
    delete process.env.FUZZ_RUNS
  }
}

/** What Node computes alone, and what waits for kernel and etcd: run side by side, they leave neither of two processors idle. */
const ALONE = ['core']

async function inOrder(parts) {
  let sum = NOTHING
  for (const part of parts) sum = add(sum, await part())
  return sum
}

const sideBySide = async (parts) => (await Promise.all(parts)).reduce(add, NOTHING)

/** Lint, types, and every project on this Node and on 24; those of {@link ONCE} on the latter alone, if it can be had. */
async function everything() {
  const { node, counts } = otherNode()
  const checks = () => inOrder([lint, types])
  if (node === undefined) return add(counts, await inOrder([checks, () => onThisNode(PROJECTS, [])]))
  const here = PROJECTS.filter((name) => ![...ALONE, ...ONCE].includes(name))
  const there = PROJECTS.filter((name) => !ALONE.includes(name))
  return inOrder([
    () => counts,
    () => sideBySide([checks(), withFewerRuns(() => onThisNode(ALONE, []))]),
    () => sideBySide([onThisNode(here, []), projects(node, '24', ALONE, [])]),
    () => projects(node, '24', there, [], process.env.FLANNELD === undefined ? PROGRAMS : {}),
  ])
}

const summary = ({ passed, failures, skipped }) =>
  `${passed} passed, ${failures.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`

/** Among thousands of lines, and of some only the end is kept: what failed stands together before the last one. */
const listOf = (failures) =>
  failures.length === 0 ? '' : `\nfailed:\n${failures.map((name) => `  ${name}\n`).join('')}`

/** Without arguments everything; with arguments only the tests they select, on this Node. */
export async function runTests(args) {
  const { names, extra } = selection(args)
  if (names.includes('e2e')) ensureBrowser()
  const counts = await (args.length === 0 ? everything() : onThisNode(names, extra))
  console.log(`${listOf(counts.failures)}\n${summary(counts)}`)
  return counts.failures.length === 0 ? 0 : 1
}
