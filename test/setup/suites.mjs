import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBrowser } from './browser.mjs'
import { timesFull, wordsOfFullTable } from './neighbour-tables.mjs'
import { ensureNode24, runsNode24 } from './node24.mjs'
import { ROOT, run, say } from './shell.mjs'
import { ALONE, LABORATORIES, logPath, patiently, PROGRAMS, ROWS, selection, shardsOf, vitest } from './vitest.mjs'

/** Long, and about the kernel, etcd and Docker more than about Node: run on one Node version only. */
const ONCE = ['e2e', 'root', 'faults', 'etcd', 'kube']

/** Of how often each property is tried, on the Node that is not the one for everything: sequences are long there too. */
const SHARE_OF_RUNS = '0.25'

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
  for (const [command, ...args] of commands.map(patiently))
    if ((await run(command, args)) !== 0) return asCheck(name, false)
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

/** A Node, and what it is called in headings. */
const THIS_NODE = { path: process.execPath, label: process.versions.node.split('.')[0] }

/** The parts of projects on a Node. `about`: what else holds for them. */
const partsOf = (node, names, extra, about = {}) =>
  names.flatMap((name) => shardsOf(name, extra)).map((part) => ({ ...part, ...about, node }))

async function runPart(part, isAside) {
  await part.after
  const { path, label } = part.node
  return countTests(await (isAside ? vitestAside(path, label, part) : vitest(path, part)), label)
}

/** Parts that run at the same time: more would wait for a processor, and not for daemons. */
const MOST_AT_ONCE = 3

/** Does each part, beginning with the first; the next begins when one of those that run has ended. `isAside`: something else runs as well. */
async function fewAtOnce(parts, isAside = parts.length > 1) {
  if (parts.length > 0) heading(parts.map(({ name, node }) => `${name} on Node ${node.label}`).join(', '))
  const waiting = [...parts]
  let sum = NOTHING
  const inTurn = async () => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      const counts = await runPart(part, isAside)
      sum = add(sum, counts)
    }
  }
  await Promise.all(Array.from({ length: MOST_AT_ONCE }, inTurn))
  return sum
}

async function inOrder(works) {
  let sum = NOTHING
  for (const work of works) sum = add(sum, await work())
  return sum
}

const sideBySide = async (works) => (await Promise.all(works.map((work) => work()))).reduce(add, NOTHING)

/** Those of the rows one after the other, on this Node. */
const onThisNode = (names, extra) =>
  inOrder(
    ROWS.map((row) => () => {
      const chosen = row.filter((name) => names.includes(name))
      return fewAtOnce(partsOf(THIS_NODE, chosen, extra))
    }),
  )

/** A Node 24 besides the running one, or why there is none. */
function otherNode() {
  if (runsNode24()) return {}
  try {
    return { other: { path: ensureNode24(), label: '24' } }
  } catch (error) {
    say(`Node 24: ${error.message}`)
    return { failure: asCheck('Node 24', false) }
  }
}

/** Fetches and makes what a project needs, which takes up to minutes, while others run. */
const prepare = (what) => run(process.execPath, [join(ROOT, 'test/setup/prepare.mjs'), what])
const buildForKube = () => run(process.execPath, [join(ROOT, 'test/setup/kube-programs.mjs')])

/** What waits for kernel, etcd and Docker: on the Node of agents, and what is about Node as well on the other one too. */
function laboratories(node, other) {
  const browser = prepare('browser').then(ensureBrowser)
  const after = { e2e: browser, root: browser.then(() => prepare('root')), kube: buildForKube() }
  const here = LABORATORIES.flatMap((name) =>
    partsOf(node, [name], [], { after: after[name], program: programOf(name) }),
  )
  const again = LABORATORIES.filter((name) => !ONCE.includes(name))
  return fewAtOnce([...here, ...(other === undefined ? [] : partsOf(other, again, []))])
}

/** What a project tests in a run of everything, if nobody chose. */
const programOf = (name) => (process.env.FLANNELD === undefined ? PROGRAMS[name] : undefined)

/** What Node computes alone: it takes what the laboratories leave of the processors. */
function computed(node, other) {
  const core = (on, about = {}) => fewAtOnce(partsOf(on, ALONE, [], { isPatient: true, ...about }), true)
  const again = other === undefined ? [] : [() => core(other, { share: SHARE_OF_RUNS })]
  return inOrder([lint, types, ...again, () => core(node)])
}

/** Lint, types, and every project on this Node and on 24; those of {@link ONCE} on the latter alone, if it can be had. */
async function everything() {
  const { other, failure = NOTHING } = otherNode()
  const [node, second] = other === undefined ? [THIS_NODE, undefined] : [other, THIS_NODE]
  return add(failure, await sideBySide([() => laboratories(node, second), () => computed(node, second)]))
}

const summary = ({ passed, failures, skipped }) =>
  `${passed} passed, ${failures.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`

/** Among thousands of lines, and of some only the end is kept: what failed stands together before the last one. */
const listOf = (failures) =>
  failures.length === 0 ? '' : `\nfailed:\n${failures.map((name) => `  ${name}\n`).join('')}`

/** Without arguments everything; with arguments only the tests they select, on this Node. */
export async function runTests(args) {
  const { names, extra } = selection(args)
  if (args.length > 0 && names.includes('e2e')) ensureBrowser()
  const fullBefore = timesFull()
  const counts = await (args.length === 0 ? everything() : onThisNode(names, extra))
  console.log(`${wordsOfFullTable(fullBefore)}${listOf(counts.failures)}\n${summary(counts)}`)
  return counts.failures.length === 0 ? 0 : 1
}
