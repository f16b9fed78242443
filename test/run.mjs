#!/usr/bin/env node
/**
 * `npm test`, `npm run repeat`, `npm run soak`, `npm run demo`, `npm run bench`, `npm run scale`, `npm run mutate` and `npm run pictures` on a clone where nothing is installed yet: fetches what is missing, builds,
 * enters the laboratory's namespaces and runs. Plain Node without dependencies, since it runs before there are any.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBrowser } from './setup/browser.mjs'
import { ensureBuilt } from './setup/build.mjs'
import { ensureDependencies } from './setup/dependencies.mjs'
import { kubeProblem } from './setup/kube-programs.mjs'
import { insideNamespace } from './setup/namespace.mjs'
import { ensurePrometheus } from './setup/prometheus.mjs'
import { ensureNode24, runsNode24 } from './setup/node24.mjs'
import { repeatTests } from './setup/repeat.mjs'
import { ensureScriptTools } from './setup/script-tools.mjs'
import { ROOT, run, say, SetupError, stopWithChildren } from './setup/shell.mjs'
import { runTests } from './setup/suites.mjs'
import { ensureTools } from './setup/tools.mjs'

const inLab =
  (script, node = process.execPath) =>
  (args) => {
    const [command, ...rest] = insideNamespace([node, '--import', 'tsx', script, ...args])
    return run(command, rest)
  }

/** On the Node that is inside the executable, where it can be had: what is measured in this process is to be what agents do. */
const bench = (args) => inLab('test/bench/main.ts', node24OrThis())(args)

function node24OrThis() {
  try {
    return runsNode24() ? process.execPath : ensureNode24()
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    say(`Not on Node 24: ${error.message}`)
    return process.execPath
  }
}

/** Outside of the laboratory: each of its workers enters one of its own. */
const mutate = (args) => run(process.execPath, ['--import', 'tsx', 'test/mutate/main.ts', ...args])

/** Of the page, for docs/operating.md. */
const pictures = (args) => {
  ensureBrowser()
  return run(process.execPath, ['--import', 'tsx', 'test/docs/pictures.ts', ...args])
}

const VERBS = {
  test: runTests,
  repeat: repeatTests,
  soak: inLab('test/soak/main.ts'),
  demo: inLab('test/lab/demo.ts'),
  bench,
  scale: inLab('test/bench/scale/main.ts'),
  mutate,
  pictures,
}

/** Beside all that runs, at the lowest priority: who needs them waits for them, last, and is skipped where they cannot be built. */
function buildKubePrograms() {
  rmSync(kubeProblem(), { force: true })
  process.env.FLANNEL_KUBE_BUILD = 'runs'
  void run(process.execPath, [join(ROOT, 'test/setup/kube-programs.mjs')])
}

function needsApiServer(verb, args) {
  if (verb === 'test') return args.length === 0 || args.some((arg) => /\bkube$/.test(arg))
  return (verb === 'demo' && args.includes('--kubernetes')) || (verb === 'scale' && args.includes('nodes'))
}

async function main([verb, ...args]) {
  if (!Object.hasOwn(VERBS, verb))
    throw new SetupError(`usage: node test/run.mjs ${Object.keys(VERBS).join('|')} [arguments]`)
  stopWithChildren()
  ensureTools()
  ensureDependencies()
  ensureBuilt()
  if (verb === 'test' || verb === 'repeat') {
    ensureScriptTools()
    ensurePrometheus()
  }
  if (verb === 'repeat' && args.some((arg) => /\be2e$/.test(arg))) ensureBrowser()
  if (needsApiServer(verb, args)) buildKubePrograms()
  return VERBS[verb](args)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  say(error.message)
  process.exitCode = 1
}
