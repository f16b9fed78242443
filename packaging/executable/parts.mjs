// The program in several texts: what it says its first line with, what it loads after that, and what is needed by some only. V8 reads a code
// cache as a whole, and that of etcd's client would take as long as all that comes before the first line.
import { build } from 'esbuild'
import { dirname, join, relative } from 'node:path'
import { BUNDLING, inAscii } from '../bundle/bundle.mjs'

const ENTRY = 'src/main.ts'
/**
 * Parts by name: the modules that they are asked for, and the part before them, of whose modules, and of those of the part before that, they have no
 * copy. What is imported with import() stands in one of them, or with whoever imports it; the first part imports nothing else that way.
 */
const LATE = {
  // The daemon, and what of it others need too.
  etcd: { entries: ['src/etcd/etcd-lease-store.ts', 'src/etcd/grpc-log.ts'] },
  late: { entries: ['src/commands/run-daemon.ts'], after: 'etcd' },
  about: { entries: ['src/commands/about.ts'] },
  cleanup: { entries: ['src/commands/cleanup.ts'], after: 'late' },
  plan: { entries: ['src/commands/planning/plan.ts'], after: 'late' },
  // Commands that ask the agent, which need no part but this.
  ask: { entries: ['status', 'peers', 'ping', 'events'].map((name) => `src/commands/look/${name}.ts`) },
  // Commands that read the host and the store.
  inspect: {
    entries: ['trace', 'without-agent', 'bugreport', 'container-asker'].map(
      (name) => `src/commands/inspect/${name}.ts`,
    ),
    after: 'etcd',
  },
  doctor: { entries: ['src/commands/examine/doctor.ts'], after: 'etcd' },
  store: {
    entries: ['config', 'leases', 'release', 'reserve'].map((name) => `src/commands/store/${name}.ts`),
    after: 'etcd',
  },
  install: { entries: ['src/commands/install-cni.ts'] },
  completion: { entries: ['src/commands/look/completion.ts'] },
  page: { entries: ['src/commands/page/page.ts'] },
  // When somebody asks a running daemon how it is, or scrapes it.
  answers: { entries: ['src/agent/status/answers.ts', 'src/agent/status/metrics-answer.ts'], after: 'late' },
}
/** What the first part has beside what it is reached by imports: the daemon until its first line, and what is called for each container. */
const EARLY = ['daemon', 'cni', 'docker-opts'].map((name) => `src/commands/${name}.ts`)
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
      const part = partOf(pathOf(asked), asked)
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
    // A text is kept in memory for as long as the program runs. What is left of its lines is for stack traces.
    minifyWhitespace: true,
    lineLimit: 160,
    plugins: [...plugins, ...BUNDLING.plugins],
  })
  const [{ inputs }] = Object.values(metafile.outputs)
  const bundled = Object.keys(inputs).filter((path) => inputs[path].bytesInOutput > 0)
  return { text: asFunction(inAscii(outputFiles[0].text)), inputs: Object.keys(metafile.inputs), bundled }
}

/** A module is a function of what it is handed, in one line so that lines in stack traces are those of the text. */
const asFunction = (text) => `(function (require, __dirname, module) {${text}\n})`

/** The late part whose entry a module is. */
const lateFor = (path) => Object.keys(LATE).find((part) => LATE[part].entries.includes(path))

/** As {@link lateFor}, for what the first part imports. */
function lateForFirst(path, { kind, importer }) {
  const part = lateFor(path)
  if (part !== undefined || kind !== 'dynamic-import' || EARLY.includes(path)) return part
  throw new Error(`${importer} imports ${path} with import(): say in which part of the executable it is to be`)
}

const ownModules = (inputs) => inputs.filter((path) => path.startsWith('src/'))

/**
 * A late part, and by module the part that has it, for those that come after it.
 * @param shared modules of the first part
 * @param late the same of another part
 */
async function latePart(part, shared, late) {
  const { entries, after } = LATE[part]
  const former = after === undefined ? new Map(shared.map((path) => [path, 'first'])) : (await late(after)).has
  const isElsewhere = (path) => former.get(path) ?? (entries.includes(path) ? undefined : lateFor(path))
  const options = { plugins: [elsewhere(isElsewhere)] }
  const isFormer = Object.values(LATE).some((other) => other.after === part)
  const modules = isFormer ? ownModules((await bundlePart(entries, options)).inputs) : entries
  const { text, bundled } = await bundlePart(modules, options)
  return { text, bundled, has: new Map([...former, ...modules.map((path) => [path, part])]) }
}

/**
 * Parts by name: scripts, each a function (require, __dirname, module), and the paths of what is in them; `first` is the first.
 */
export async function programInParts() {
  const how = { start: `require('./${ENTRY}')`, plugins: [elsewhere(lateForFirst), seldom] }
  const { inputs } = await bundlePart([], how)
  const shared = ownModules(inputs).filter((path) => path !== ENTRY)
  const first = bundlePart(shared, how)
  const known = new Map()
  const late = (part) => {
    if (!known.has(part)) known.set(part, latePart(part, shared, late))
    return known.get(part)
  }
  const parts = {
    first,
    ...Object.fromEntries(Object.keys(LATE).map((part) => [part, late(part)])),
    seldom: bundlePart([SELDOM], {}),
  }
  const all = Object.entries(parts).map(async ([name, part]) => {
    const { text, bundled } = await part
    return [name, { text, bundled }]
  })
  return Object.fromEntries(await Promise.all(all))
}
