// npm run build: the daemon as one executable that needs nothing, and as one CommonJS file that needs Node.
//
//   dist/flanneld                   Node, the bundle and the addon
//   dist/flanneld.cjs               not minified: a crash shows the line, not the whole source
//   dist/netlink.node               the addon for this architecture
//   dist/page.html                  what `flanneld page` and --healthz-page serve (page/page.mjs)
//   dist/THIRD-PARTY-LICENSES.txt   of the packages inside flanneld.cjs
//
//   node packaging/build.mjs --bundle [entry [folder]]   the bundle alone; of another program than src/main.ts, into another folder than dist
//   node packaging/build.mjs --empty FILE                an executable of the same kind that does nothing, to measure ours against
//   node packaging/build.mjs --arch arm64                dist/flanneld-arm64, without a code cache (see executable/executable.mjs)
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { recordFault } from './addon.mjs'
import { bundle } from './bundle/bundle.mjs'
import { licenceSection, thirdPartyLicences } from './bundle/licenses.mjs'
import { makeEmptyExecutable, makeExecutable } from './executable/executable.mjs'
import { NODE_VERSION, nodeBinary } from './executable/node-binary.mjs'
import { buildPage } from './page/page.mjs'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const NATIVE = join(ROOT, 'src/native')

function addonFor(arch) {
  const places = [...(arch === process.arch ? ['build/Release'] : []), `prebuilds/linux-${arch}`]
  const addon = places.map((place) => join(NATIVE, place, 'netlink.node')).find(existsSync)
  if (addon === undefined) throw new Error(`there is no netlink addon for ${arch}: run node packaging/addon.mjs`)
  const fault = recordFault(dirname(addon))
  if (fault !== undefined) throw new Error(`${addon}: ${fault}; run node packaging/addon.mjs`)
  return addon
}

/** Whoever runs the old file keeps it whole. */
function replaceFile(path, write) {
  const fresh = `${path}.${process.pid}`
  write(fresh)
  renameSync(fresh, path)
}

async function buildBundle(entry, folder) {
  const addon = addonFor(process.arch)
  const [{ text, metafile }, page] = await Promise.all([bundle(entry), buildPage()])
  const licences = thirdPartyLicences(ROOT, { outputs: { ...metafile.outputs, ...page.metafile.outputs } })
  mkdirSync(folder, { recursive: true })
  replaceFile(join(folder, 'netlink.node'), (path) => copyFileSync(addon, path))
  replaceFile(join(folder, 'THIRD-PARTY-LICENSES.txt'), (path) => writeFileSync(path, licences))
  replaceFile(join(folder, 'page.html'), (path) => writeFileSync(path, page.text))
  replaceFile(join(folder, 'flanneld.cjs'), (path) => writeFileSync(path, text, { mode: 0o755 }))
  console.log(`${join(folder, 'flanneld.cjs')}: ${Math.round(text.length / 1024)} KiB`)
  return { licences, page: page.text }
}

/**
 * Written at once, a large file is kept in large pieces by the kernel, which are mapped as a whole: 20 MB more of a process would be
 * resident until the host is restarted.
 */
function writeInPieces(path, bytes) {
  const file = openSync(path, 'w', 0o755)
  try {
    for (let at = 0; at < bytes.length; at += PIECE) writeSync(file, bytes, at, Math.min(PIECE, bytes.length - at))
  } finally {
    closeSync(file)
  }
}

const PIECE = 0x1_0000

async function buildExecutable(arch, { licences, page }, path) {
  const node = nodeBinary(arch)
  const ofNode = licenceSection(`Node.js ${NODE_VERSION}`, readFileSync(join(node, 'LICENSE'), 'utf8').trim())
  const all = `${licences}\n${ofNode}`
  const bytes = await makeExecutable({ arch, node, addon: addonFor(arch), texts: { licenses: all, 'page.html': page } })
  replaceFile(path, (fresh) => writeInPieces(fresh, bytes))
  console.log(`${path}: ${Math.round(bytes.length / 1024 / 1024)} MiB`)
}

async function buildEmpty(path) {
  const arch = process.arch
  writeFileSync(path, await makeEmptyExecutable({ arch, node: nodeBinary(arch) }), { mode: 0o755 })
}

async function main() {
  const options = {
    bundle: { type: 'boolean', default: false },
    arch: { type: 'string', default: process.arch },
    empty: { type: 'string' },
  }
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  if (values.empty !== undefined) return buildEmpty(values.empty)
  const [entry = 'src/main.ts', folder = join(ROOT, 'dist')] = positionals
  const texts = await buildBundle(entry, folder)
  if (values.bundle) return
  const name = values.arch === process.arch ? 'flanneld' : `flanneld-${values.arch}`
  await buildExecutable(values.arch, texts, join(folder, name))
}

await main()
