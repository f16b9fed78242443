// The program in two texts: what it says its first line with, and what it loads after that. V8 reads a code cache as a whole, and that of
// etcd's client would take as long as all that comes before it.
import { build } from 'esbuild'
import { dirname, join, relative } from 'node:path'
import { BUNDLING, inAscii } from '../bundle/bundle.mjs'

const ENTRY = 'src/main.ts'
/** Modules that are loaded late, and with them all that only they need. */
const LATE = ['src/commands/run-daemon.ts', 'src/commands/cleanup.ts', 'src/commands/about.ts']

/** How a part asks for a module of the other: boot.cjs answers. */
const FROM = { first: 'first:', late: 'late:' }

const pathOf = ({ path, importer }) => relative(BUNDLING.absWorkingDir, join(dirname(importer), path))

/** Our own modules by their paths below the root, where `pick` names a part that they are found in. */
const elsewhere = (pick) => ({
  name: 'elsewhere',
  setup(builder) {
    builder.onResolve({ filter: /^\./ }, (asked) => {
      const part = pick(pathOf(asked))
      return part && { path: `${part}${pathOf(asked)}`, external: true }
    })
  },
})

async function bundlePart(modules, { own, pick }) {
  const table = modules.map((path) => `${JSON.stringify(path)}: () => require(${JSON.stringify(`./${path}`)})`)
  const { outputFiles, metafile } = await build({
    ...BUNDLING,
    stdin: { contents: `module.exports = {\n${table.join(',\n')}\n}\n${own}`, resolveDir: BUNDLING.absWorkingDir },
    target: 'node24',
    supported: { 'dynamic-import': false },
    plugins: [elsewhere(pick), ...BUNDLING.plugins],
  })
  return { text: asFunction(inAscii(outputFiles[0].text)), inputs: Object.keys(metafile.inputs) }
}

/** A module is a function of what it is handed, in one line so that lines in stack traces are those of the text. */
const asFunction = (text) => `(function (require, __dirname, module) {${text}\n})`

/** @returns {Promise<Readonly<Record<'first' | 'late', string>>>} scripts, each a function (require, __dirname, module) */
export async function programInParts() {
  const isLate = (path) => (LATE.includes(path) ? FROM.late : undefined)
  const start = `require('./${ENTRY}')`
  const { inputs } = await bundlePart([], { own: start, pick: isLate })
  const shared = inputs.filter((path) => path.startsWith('src/') && path !== ENTRY)
  const first = await bundlePart(shared, { own: start, pick: isLate })
  const late = await bundlePart(LATE, { own: '', pick: (path) => (shared.includes(path) ? FROM.first : undefined) })
  return { first: first.text, late: late.text }
}
