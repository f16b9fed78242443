import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ensureNode24, runsNode24 } from './node24.mjs'
import { insideNamespace } from './namespace.mjs'
import { cacheFolder, ROOT, run, say, SetupError } from './shell.mjs'

/**
 * Projects of vitest.config.ts, in order; all but the first run inside the laboratory's namespaces. Those of one row run side by
 * side, each in namespaces of its own: they wait for daemons more than they compute.
 */
const ROWS = [['core'], ['kernel'], ['etcd', 'e2e']]
const PROJECTS = ROWS.flat()

const bin = (name) => join(ROOT, 'node_modules', '.bin', name)
const heading = (text) => say(`\n── ${text}`)

const NOTHING = { passed: 0, failed: 0, skipped: 0 }
const add = (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped })
const asCheck = (ok) => (ok ? { ...NOTHING, passed: 1 } : { ...NOTHING, failed: 1 })

async function check(name, commands) {
  heading(name)
  for (const [command, ...args] of commands) if ((await run(command, args)) !== 0) return asCheck(false)
  return asCheck(true)
}

const lint = () =>
  check('lint', [
    [bin('eslint'), '.'],
    [bin('prettier'), '--check', '--log-level=warn', '.'],
  ])
const types = () => check('types', [[bin('tsc'), '--noEmit']])

/** What vitest's JSON report counts. A file that did not load, and a run that failed without a failed test, count as one failure each. */
function countReport(path, exitCode) {
  let report
  try {
    report = JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return asCheck(false)
  }
  const unloaded = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
  const failed = report.numFailedTests + unloaded.length
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

/** Runs one project. With `log`, its output goes to that file. */
async function vitest(node, label, project, extra, log) {
  const report = join(cacheFolder('test'), `${project}-${label}.json`)
  rmSync(report, { force: true })
  const args = ['run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const line = [node, join(ROOT, 'node_modules/vitest/vitest.mjs'), ...args, ...extra]
  const [command, ...rest] = project === 'core' ? line : insideNamespace(line)
  return countReport(report, await run(command, rest, log === undefined ? {} : { log }))
}

/** Runs one project among others: its output is shown in one piece, at its end. */
async function vitestAside(node, label, project, extra) {
  const path = join(cacheFolder('test'), `${project}-${label}.log`)
  const log = openSync(path, 'w')
  try {
    return await vitest(node, label, project, extra, log)
  } finally {
    closeSync(log)
    heading(`${project} on Node ${label}`)
    process.stderr.write(readFileSync(path))
  }
}

async function projects(node, label, names, extra) {
  let counts = NOTHING
  for (const row of ROWS.map((all) => all.filter((name) => names.includes(name)))) {
    if (row.length === 0) continue
    heading(`${row.join(' beside ')} on Node ${label}`)
    const work = row.length > 1 ? vitestAside : vitest
    for (const part of await Promise.all(row.map((name) => work(node, label, name, extra)))) counts = add(counts, part)
  }
  return counts
}

async function onNode24() {
  try {
    return await projects(ensureNode24(), '24', PROJECTS, [])
  } catch (error) {
    say(`Node 24: ${error.message}`)
    return asCheck(false)
  }
}

/** Splits `--project x` (or `--project=x`) off the arguments; the rest is vitest's. */
function selection(args) {
  const names = []
  const extra = []
  for (let at = 0; at < args.length; at++) {
    if (args[at] === '--project') names.push(args[++at])
    else if (args[at].startsWith('--project=')) names.push(args[at].slice('--project='.length))
    else extra.push(args[at])
  }
  const unknown = names.filter((name) => !PROJECTS.includes(name))
  if (unknown.length > 0) throw new SetupError(`no project ${unknown.join(', ')}; there are ${PROJECTS.join(', ')}`)
  return { names: names.length > 0 ? names : PROJECTS, extra }
}

const summary = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`

/** Without arguments everything, on this Node and on 24; with arguments only the tests they select, on this Node. */
export async function runTests(args) {
  const { names, extra } = selection(args)
  const running = process.versions.node.split('.')[0]
  let counts = args.length === 0 ? add(await lint(), await types()) : NOTHING
  counts = add(counts, await projects(process.execPath, running, names, extra))
  if (args.length === 0 && !runsNode24()) counts = add(counts, await onNode24())
  console.log(`\n${summary(counts)}`)
  return counts.failed === 0 ? 0 : 1
}
