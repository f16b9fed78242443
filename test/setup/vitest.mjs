import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { insideNamespace, insideRootNamespace } from './namespace.mjs'
import { whyNotAsRoot } from './root.mjs'
import { cacheFolder, ROOT, run, say, SetupError } from './shell.mjs'

/** What computes and nothing else. */
export const ALONE = ['core']

/**
 * What runs inside the laboratory's namespaces, side by side, each part in some of its own: these wait for daemons more than they compute.
 * What takes longest comes first, and last what has to be built.
 */
export const LABORATORIES = ['e2e', 'root', 'etcd', 'faults', 'kernel', 'kube']

export const ROWS = [ALONE, LABORATORIES]
export const PROJECTS = ROWS.flat()

/** Projects of vitest.config.ts that count as one here; one that is not named has its own name alone. */
const NAMES = { core: ['core', 'core-alone'] }

/** Where a project runs; inside the laboratory's namespaces when it is not named here. */
const PLACES = { core: (line) => line, root: insideRootNamespace }

/** What a project tests in a run of everything: what is installed on hosts. Elsewhere it is the bundle. */
export const PROGRAMS = { e2e: join(ROOT, 'dist/flanneld'), kube: join(ROOT, 'dist/flanneld') }

/** Why a project cannot run on this machine; it counts as one skipped test then. */
const HINDRANCES = { root: whyNotAsRoot }

/** Projects that run as several processes side by side: one laboratory occupies all of its namespaces. Most of their files are in this folder. */
const SHARDS = {
  e2e: { most: 3, folder: 'test/e2e' },
  root: { most: 4, folder: 'test/root' },
  faults: { most: 3, folder: 'test/e2e/faults' },
}

/**
 * Files at a time, where they share namespaces and wait for daemons, or compute and nothing else; vitest's own number is one less than
 * processors.
 */
const WORKERS = { core: Math.max(2, availableParallelism()), etcd: 3 }

const MOST_OF_REASON = 1_800

/** What a test failed for, without the way through the code and in no colours, as far as a summary has room. */
function reasonOf({ failureMessages = [] }) {
  const lines = stripVTControlCharacters(failureMessages.join('\n')).split('\n')
  return lines
    .filter((line) => line.trim() !== '' && !/^\s+at /.test(line))
    .join('\n')
    .slice(0, MOST_OF_REASON)
}

/** A test's name and how it ended, for the reports that vitest writes. */
const testsOf = (file) =>
  file.assertionResults.map((test) => ({
    name: `${relative(file.name)} > ${test.fullName}`,
    status: test.status,
    reason: reasonOf(test),
  }))
const relative = (path) => (path.startsWith(`${ROOT}/`) ? path.slice(ROOT.length + 1) : path)

/** A file that did not load, or whose tests could not begin, has no failed test; it stands for one. */
const unloadedOf = (file) =>
  file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed')
    ? [
        {
          name: `${relative(file.name)} (did not load, or could not begin)`,
          status: 'failed',
          reason: reasonOf({ failureMessages: [file.message ?? ''] }),
        },
      ]
    : []

/** Every test of the JSON report. A run that failed without a failed test counts as one failure. */
function readReport(path, exitCode, project) {
  const broken = { name: `${project} (the run itself, exit code ${exitCode})`, status: 'failed' }
  let report
  try {
    report = JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return [broken]
  }
  const tests = report.testResults.flatMap((file) => [...testsOf(file), ...unloadedOf(file)])
  const failed = tests.some(({ status }) => status === 'failed')
  return exitCode !== 0 && !failed ? [...tests, broken] : tests
}

/** Where this process keeps its reports: two runs in one checkout must not read each other's. */
let folder
function reportFolder() {
  if (folder !== undefined) return folder
  folder = mkdtempSync(join(cacheFolder('test'), 'run-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const workersFor = (project, args) =>
  project in WORKERS && !args.some((arg) => arg.startsWith('--maxWorkers')) ? [`--maxWorkers=${WORKERS[project]}`] : []

let runs = 0

/** Behind everything that is in a hurry. */
export const patiently = (line) => ['nice', '-n', '10', ...line]

/**
 * Runs vitest on one project. With `log`, a path, its output goes to that file; `program` is the agent to test, if not the bundle;
 * `isPatient`: it leaves the processors to others; `share`: of how often each property is tried. Nothing that runs in a test asks anybody whom the
 * host's certificates are for, and every Node would read them before its first line (`NODE_EXTRA_CA_CERTS`: 80 ms each).
 * @returns every test with its status: passed, failed, skipped, pending or todo; of one that failed the reason, if it is known
 */
export async function vitest(node, { project, args, program, isPatient = false, share }, log) {
  const hindrance = HINDRANCES[project]?.()
  if (hindrance !== undefined) {
    say(`The project "${project}" is skipped: ${hindrance}`)
    return [{ name: `${project} (${hindrance})`, status: 'skipped' }]
  }
  const report = join(reportFolder(), `${project}-${runs++}.json`)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const options = [
    ...(NAMES[project] ?? [project]).map((name) => `--project=${name}`),
    ...workersFor(project, args),
    ...reporters,
    ...args,
  ]
  const line = [
    'env',
    '--unset=NODE_EXTRA_CA_CERTS',
    ...variablesOf(project, args, { program, share }),
    node,
    join(ROOT, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...options,
  ]
  const [command, ...rest] = (PLACES[project] ?? insideNamespace)(isPatient ? patiently(line) : line)
  const file = log === undefined ? 'inherit' : openSync(log, 'w')
  try {
    return readReport(report, await run(command, rest, { log: file }), project)
  } finally {
    if (log !== undefined) closeSync(file)
  }
}

/** What the tests find in their environment: the agent to test, how often to try, and of a shard a control group of its own. */
function variablesOf(project, args, { program, share }) {
  const [, shard] = /--shard=(\d+)/.exec(args.join(' ')) ?? []
  const { FLANNEL_CGROUP } = process.env
  return [
    ...(project === 'root' && shard !== undefined ? [`FLANNEL_CGROUP=${FLANNEL_CGROUP}-${shard}`] : []),
    ...(program === undefined ? [] : [`FLANNELD=${program}`]),
    ...(share === undefined ? [] : [`FUZZ_SHARE=${share}`]),
  ]
}

/** Where the output of a run belongs that others run beside. */
export const logPath = (name) => join(reportFolder(), `${name}.log`)

function testFilesIn(folder) {
  try {
    return readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.test.ts')).length
  } catch {
    return 0
  }
}

/** Whether an argument names files: it is neither an option nor the value of one. */
const namesFiles = (args) => args.some((arg, at) => !arg.startsWith('-') && !/^-[^=]*$/.test(args[at - 1] ?? ''))

/** The processes that a project is run by: one, or a shard each. vitest refuses more shards than files. */
export function shardsOf(project, args) {
  const { most, folder } = SHARDS[project] ?? { most: 1 }
  const count = most === 1 || namesFiles(args) ? 1 : Math.min(most, Math.max(1, testFilesIn(folder)))
  if (count === 1) return [{ name: project, project, args }]
  return Array.from({ length: count }, (_, at) => {
    const shard = `${at + 1}/${count}`
    return { name: `${project} ${shard}`, project, args: [`--shard=${shard}`, ...args] }
  })
}

/** Splits `--project x` (or `--project=x`) off the arguments; the rest is vitest's. */
export function selection(args) {
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
