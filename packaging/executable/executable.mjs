// Makes one file of Node, the bundle and the addon: Node's "single executable application", put together without its tools.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { alignCaches, spaced } from './cache-places.mjs'
import { extendElf } from './elf.mjs'
import { nodeBinary } from './node-binary.mjs'
import { programInParts, WITHOUT_CACHE } from './parts.mjs'
import { preludeFor } from './prelude.mjs'

const HERE = dirname(fileURLToPath(import.meta.url))

/** Where Node looks for what is put into it (its src/node_sea.cc, postject's convention). */
const BLOB_NAME = 'NODE_SEA_BLOB'
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

/**
 * Options of Node for our program. Whoever speaks TLS here says which authorities he trusts; without this one Node reads all of Mozilla's on another
 * thread as soon as `node:tls` is loaded, which is in every start (4 ms of a processor, 0.8 MB, and NODE_EXTRA_CA_CERTS besides). Each of V8's workers,
 * four where nothing is said, has malloc keep an arena for it: one does what there is to do.
 */
const OPTIONS = ['--use-openssl-ca', '--v8-pool-size=1']

/**
 * @param arch the executable's, as Node names it
 * @param node folder of the Node binary for it, see node-binary.mjs
 * @param addon path of the addon for it
 * @param texts that it carries, by the names under which the program asks for them (src/host/executable.ts)
 * @returns {Promise<Buffer>} the executable
 */
export function makeExecutable({ arch, node, addon, texts }) {
  return inFolder(async (folder) => {
    const write = (name, content) => writeFileSync(join(folder, name), content)
    const parts = await programInParts()
    const names = Object.keys(parts)
    for (const name of names) write(name, parts[name].text)
    for (const [name, text] of Object.entries(texts)) write(name, text)
    copyFileSync(addon, join(folder, 'netlink.node'))
    makeCodeCaches(arch, join(node, 'bin/node'), folder, names)
    write('boot', await bootProgram())
    const caches = names.map((name) => readFileSync(join(folder, `${name}.cache`)))
    for (const [at, name] of names.entries()) write(`${name}.cache`, spaced(caches[at]))
    const assets = [...names, ...names.map((name) => `${name}.cache`), ...Object.keys(texts), 'netlink.node']
    return wrap({ arch, node, folder, assets, addon: readFileSync(addon), caches, execArgv: OPTIONS })
  })
}

/** Given the argument `stay` it does, so that its memory can be looked at. */
const NOTHING = "if (process.argv[2] === 'stay') setInterval(() => {}, 100_000_000)"

/** What an executable of this kind costs with nothing in it: the benchmark measures ours against it. */
export function makeEmptyExecutable({ arch, node }) {
  return inFolder((folder) => {
    writeFileSync(join(folder, 'boot'), NOTHING)
    return wrap({ arch, node, folder, assets: [], addon: Buffer.alloc(0) })
  })
}

async function inFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), 'flanneld-build-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function wrap({ arch, node, folder, assets, addon, caches = [], execArgv = [] }) {
  const blob = { name: BLOB_NAME, bytes: alignCaches(makeBlob(folder, assets, execArgv), BLOB_NAME, caches) }
  return extendElf(fused(readFileSync(join(node, 'bin/node'))), { blob, prelude: preludeFor(arch), addon })
}

/**
 * Only the Node that is to use them can make them: for another architecture they stay empty, unless FOREIGN_RUNNER runs that one's programs
 * (`qemu-aarch64-static -L /usr/aarch64-linux-gnu`). With a seed of its own V8 writes the same bytes each time.
 */
function makeCodeCaches(arch, binary, folder, parts) {
  const runner = (process.env['FOREIGN_RUNNER'] ?? '').split(' ').filter(Boolean)
  if (arch !== process.arch && runner.length === 0) {
    for (const part of parts) writeFileSync(join(folder, `${part}.cache`), '')
    return
  }
  const line = [...(arch === process.arch ? [] : runner), binary, '--random-seed=1']
  for (const part of WITHOUT_CACHE) writeFileSync(join(folder, `${part}.cache`), '')
  const others = parts.filter((part) => part !== 'first' && !WITHOUT_CACHE.includes(part))
  run([...line, join(HERE, 'warm-up.cjs'), 'write', ...others], folder)
  run([...line, join(HERE, 'warm-up.cjs'), 'verify', ...others], folder)
}

async function bootProgram() {
  const options = { absWorkingDir: HERE, bundle: true, platform: 'node', format: 'cjs', write: false }
  const { outputFiles } = await build({ entryPoints: ['boot.cjs'], ...options })
  return outputFiles[0].text
}

/** By a Node of the same version that runs here. All names are relative: they become part of what is to be the same wherever it is made. */
function makeBlob(folder, names, execArgv) {
  const settings = {
    main: 'boot',
    output: 'blob',
    assets: Object.fromEntries(names.map((name) => [name, name])),
    disableExperimentalSEAWarning: true,
    execArgvExtension: 'none', // NODE_OPTIONS is for other programs of this host
    execArgv,
  }
  writeFileSync(join(folder, 'settings.json'), JSON.stringify(settings))
  run([join(nodeBinary(), 'bin/node'), '--experimental-sea-config', 'settings.json'], folder)
  return readFileSync(join(folder, 'blob'))
}

function fused(bytes) {
  const at = bytes.indexOf(`${FUSE}:0`)
  if (at < 0 || bytes.indexOf(`${FUSE}:0`, at + 1) >= 0) throw new Error(`expected one ${FUSE} in this Node`)
  bytes.write('1', at + FUSE.length + 1)
  return bytes
}

function run([command, ...args], cwd) {
  const { status, error, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', env: {} })
  if (error) throw new Error(`cannot run ${command}: ${error.message}`)
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed with exit code ${status}:\n${stderr}`)
}
