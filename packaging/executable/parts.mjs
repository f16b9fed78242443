// The program in several texts: what it says its first line with, what it loads after that, and what is needed by some only. V8 reads a code
// cache as a whole, and that of etcd's client would take as long as all that comes before the first line.
import { build } from 'esbuild'
import { dirname, join, relative } from 'node:path'
import { BUNDLING, inAscii } from '../bundle/bundle.mjs'

const ENTRY = 'src/main.ts'
/** Modules that are loaded late, by the part that they are in, and with them all that only they need. What two parts need is in both. */
const LATE = {
  late: ['src/commands/run-daemon.ts', 'src/commands/cleanup.ts', 'src/commands/about.ts'],
  // Commands that ask the agent, which need no part but this.
  ask: ['status', 'peers', 'ping', 'events'].map((name) => `src/commands/look/${name}.ts`),
  // Commands that read the host and the store.
  inspect: ['trace', 'without-agent', 'bugreport'].map((name) => `src/commands/inspect/${name}.ts`),
  completion: ['src/commands/look/completion.ts'],
  page: ['src/commands/page/page.ts'],
  // When somebody asks a running daemon how it is, or scrapes it.
  answers: ['src/agent/status/answers.ts', 'src/agent/status/metrics-answer.ts'],
}
/**
 * Parts that a running daemon loads: without a code cache, which V8 would refuse. Caches are taken by the flags that they were made with, and
 * the daemon has set one by then (run-daemon.ts).
 */
export const WITHOUT_CACHE = ['answers']
/** A package that is loaded when a flag is given that needs it: a third of the first code cache would be its. */
const SELDOM = 're2js'

/** How a part asks for what is in another: load.cjs answers. */
const from = (part, id) => `${part}:${id}`

const pathOf = ({ path, importer }) => relative(BUNDLING.absWorkingDir, join(dirname(importer), path))

/** Our own modules by their paths below the root, where `partOf` names a part that they are found in. */
const elsewhere = (partOf) => ({
  name: 'elsewhere',
  setup(builder) {
    builder.onResolve({ filter: /^\./ }, (asked) => {
      const part = partOf(pathOf(asked))
      return part && { path: from(part, pathOf(asked)), external: true }
    })
  },
})

/** Each export of that package is fetched when it is used. */
const seldom = {
  name: 'seldom',
  setup(builder) {
    builder.onResolve({ filter: new RegExp(`^(seldom:)?${SELDOM}$`) }, ({ path }) =>
      path === SELDOM ? { path, namespace: 'seldom' } : { path, external: true },
    )
    builder.onLoad({ filter: /^/, namespace: 'seldom' }, async () => {
      const getters = Object.keys(await import(SELDOM)).map((name) => `get ${name}() { return load().${name} }`)
      const load = `const load = () => require('${from('seldom', SELDOM)}')`
      return { contents: `${load}\nmodule.exports = { ${getters.join(', ')} }`, resolveDir: BUNDLING.absWorkingDir }
    })
  },
}

/** A table of functions that load these modules and packages, and what is done when the part has been loaded. */
async function bundlePart(ids, { start = '', plugins = [] }) {
  const requireOf = (id) => `require(${JSON.stringify(id.startsWith('src/') ? `./${id}` : id)})`
  const table = ids.map((id) => `${JSON.stringify(id)}: () => ${requireOf(id)}`)
  const { outputFiles, metafile } = await build({
    ...BUNDLING,
    stdin: { contents: `module.exports = {\n${table.join(',\n')}\n}\n${start}`, resolveDir: BUNDLING.absWorkingDir },
    target: 'node24',
    supported: { 'dynamic-import': false },
    plugins: [...plugins, ...BUNDLING.plugins],
  })
  return { text: asFunction(inAscii(outputFiles[0].text)), inputs: Object.keys(metafile.inputs) }
}

/** A module is a function of what it is handed, in one line so that lines in stack traces are those of the text. */
const asFunction = (text) => `(function (require, __dirname, module) {${text}\n})`

/** The late part whose entry a module is. */
const lateFor = (path) => Object.keys(LATE).find((part) => LATE[part].includes(path))

/** Parts by name: scripts, each a function (require, __dirname, module); `first` is the first. */
export async function programInParts() {
  const how = { start: `require('./${ENTRY}')`, plugins: [elsewhere(lateFor), seldom] }
  const { inputs } = await bundlePart([], how)
  const shared = inputs.filter((path) => path.startsWith('src/') && path !== ENTRY)
  const lateParts = Object.entries(LATE).map(([part, entries]) => {
    const isElsewhere = (path) => (shared.includes(path) ? 'first' : lateFor(path) === part ? undefined : lateFor(path))
    return [part, bundlePart(entries, { plugins: [elsewhere(isElsewhere)] })]
  })
  const parts = {
    first: bundlePart(shared, how),
    ...Object.fromEntries(lateParts),
    seldom: bundlePart([SELDOM], {}),
  }
  const bundled = Object.entries(parts).map(async ([name, part]) => [name, (await part).text])
  return Object.fromEntries(await Promise.all(bundled))
}
