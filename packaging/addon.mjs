// Makes the netlink addon available: `npm install` runs this. A prebuilt one that was built from these very sources and loads in
// this Node is used as it is; otherwise it is compiled, which needs a C compiler and Node's headers. In a package that npm has
// packed, the bundle has an addon beside it; where that does not load, another one takes its place.
//
//   node packaging/addon.mjs              use the prebuilt one, or compile
//   node packaging/addon.mjs --compile    compile in any case (into src/native/build/Release)
//   node packaging/addon.mjs --prebuild   compile, strip and record as this architecture's prebuilt addon
//   CC=aarch64-linux-gnu-gcc node packaging/addon.mjs --prebuild arm64   the same for another one, which cannot be tried here
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const NATIVE = join(ROOT, 'src/native')
const DIST = join(ROOT, 'dist')
/** What is compiled, and with it what it is made of. */
const FORWARDER = ['udp', 'forwarder', 'outward', 'inward', 'turns', 'peers', 'packet'].map((name) => `udp/${name}.c`)
const UNITS = ['netlink.c', 'icmp.c', 'memory.c', ...FORWARDER]
const HEADERS = ['socket.h', ...['forwarder', 'thread', 'peers', 'packet'].map((name) => `udp/${name}.h`)]
const SOURCES = [...UNITS, ...HEADERS, 'binding.gyp']
const BUILT = join(NATIVE, 'build/Release')
const prebuiltFor = (arch) => join(NATIVE, 'prebuilds', `linux-${arch}`)
const PREBUILT = prebuiltFor(process.arch)
const FLAGS = [
  '-std=c11',
  '-D_GNU_SOURCE',
  '-DNAPI_VERSION=8',
  '-O2',
  '-Wall',
  '-Wextra',
  '-fPIC',
  '-fvisibility=hidden',
  '-shared',
  '-s',
]

/** SHA-256 over names and content of what the addon is made of. */
export function sourcesHash() {
  const hash = createHash('sha256')
  for (const name of SOURCES)
    hash
      .update(name)
      .update('\0')
      .update(readFileSync(join(NATIVE, name)))
      .update('\0')
  return hash.digest('hex')
}

const recordedIn = (directory, name) => {
  const file = join(directory, name)
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined
}

/** SHA-256 of the addon itself. */
const addonHash = (directory) =>
  createHash('sha256')
    .update(readFileSync(join(directory, 'netlink.node')))
    .digest('hex')

/** Of what an addon was made, and which one that was. */
function record(directory) {
  writeFileSync(join(directory, 'sources.sha256'), `${sourcesHash()}\n`)
  writeFileSync(join(directory, 'addon.sha256'), `${addonHash(directory)}\n`)
}

/** Whoever runs the old file keeps it whole. */
function replaceFile(from, to) {
  const fresh = `${to}.${process.pid}`
  copyFileSync(from, fresh)
  renameSync(fresh, to)
}

/** Why a prebuilt addon is not to be packed; undefined when it is. For any architecture. */
export function recordFault(directory) {
  if (recordedIn(directory, 'sources.sha256') !== sourcesHash()) return 'it was built from other sources'
  if (recordedIn(directory, 'addon.sha256') !== addonHash(directory)) return 'it is not the one that was recorded'
  return undefined
}

/** Why the addon in `directory` cannot be used; undefined when it can. */
function unfit(directory) {
  const addon = join(directory, 'netlink.node')
  if (!existsSync(addon)) return 'there is none'
  return recordFault(directory) ?? whyNotLoaded(addon)
}

/** Loaded in a process of its own: it may be for another libc. */
function whyNotLoaded(addon) {
  const load = spawnSync(process.execPath, ['-e', 'require(process.argv[1]).open', addon], { encoding: 'utf8' })
  return load.status === 0
    ? undefined
    : `it does not load: ${load.stderr.split('\n').find((line) => line.includes('Error')) ?? load.signal}`
}

function headerDirectory() {
  const beside = join(dirname(process.execPath), '..')
  const roots = [
    process.env['npm_config_nodedir'],
    beside,
    '/usr',
    '/usr/local',
    join(homedir(), '.cache/node-gyp', process.versions.node),
  ]
  const candidates = roots
    .filter(Boolean)
    .flatMap((root) => [join(root, 'include/node'), join(root, 'include/nodejs/src')])
  return candidates.find(
    (directory) => existsSync(join(directory, 'node_api.h')) && existsSync(join(directory, 'uv.h')),
  )
}

const runs = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0

function compiler() {
  return [process.env['CC'], 'cc', 'gcc', 'clang'].filter(Boolean).find(runs)
}

/**
 * The addon made anew, to compare it with the recorded one: the same compiler makes the same bytes.
 * @param cc undefined: this machine's compiler
 * @returns why that cannot be done; undefined when it was
 */
export function compileTo(output, cc = compiler()) {
  const headers = headerDirectory()
  if (cc === undefined || !runs(cc)) return 'there is no compiler'
  if (headers === undefined) return 'there are no Node headers'
  return compileDirectly(cc, headers, output) ? undefined : 'the compiler failed'
}

function compileDirectly(cc, headers, output = join(BUILT, 'netlink.node')) {
  mkdirSync(dirname(output), { recursive: true })
  return (
    spawnSync(cc, [...FLAGS, `-I${headers}`, ...UNITS.map((name) => join(NATIVE, name)), '-o', output], {
      stdio: 'inherit',
    }).status === 0
  )
}

/** node-gyp fetches the headers it does not find; only npm brings one. */
function compileWithNodeGyp(nodeGyp) {
  return spawnSync(process.execPath, [nodeGyp, 'rebuild', '--directory', NATIVE], { stdio: 'inherit' }).status === 0
}

function compile(why) {
  const cc = compiler()
  if (cc === undefined) fail(why, 'there is no C compiler (cc, gcc, clang; on Debian: apt-get install build-essential)')
  const headers = headerDirectory()
  const nodeGyp = process.env['npm_config_node_gyp']
  rmSync(BUILT, { recursive: true, force: true })
  if (headers === undefined && nodeGyp === undefined)
    fail(
      why,
      `there are no Node headers beside ${process.execPath} (on Debian: apt-get install libnode-dev, or set npm_config_nodedir)`,
    )
  if (!(headers === undefined ? compileWithNodeGyp(nodeGyp) : compileDirectly(cc, headers)))
    fail(why, 'the compiler failed, see above')
  record(BUILT)
  const fault = unfit(BUILT)
  if (fault !== undefined) fail(why, `the addon just compiled cannot be used: ${fault}`)
  say(`compiled ${relative(ROOT, join(BUILT, 'netlink.node'))} (${why})`)
}

function say(text) {
  console.log(`netlink addon: ${text}`)
}

function fail(why, text) {
  console.error(`netlink addon: has to be compiled (${why}), but ${text}`)
  process.exit(1)
}

function prebuild(arch = process.arch) {
  if (arch === process.arch) compile('asked for')
  else crossCompile(arch)
  const folder = prebuiltFor(arch)
  mkdirSync(folder, { recursive: true })
  for (const file of ['netlink.node', 'sources.sha256', 'addon.sha256'])
    replaceFile(join(BUILT, file), join(folder, file))
  rmSync(join(NATIVE, 'build'), { recursive: true })
  say(`recorded ${relative(ROOT, folder)}`)
}

/** Of an ELF file (elf(5)): e_machine of its header. */
const MACHINES = { x64: 62, arm64: 183 }

function crossCompile(arch) {
  const [why, cc, headers] = [`for ${arch}`, process.env['CC'], headerDirectory()]
  if (cc === undefined) fail(why, 'CC names no compiler for it')
  if (headers === undefined) fail(why, `there are no Node headers beside ${process.execPath}`)
  if (!compileDirectly(cc, headers)) fail(why, 'the compiler failed, see above')
  const machine = readFileSync(join(BUILT, 'netlink.node')).readUInt16LE(18)
  if (machine !== MACHINES[arch]) fail(why, `${cc} compiles for another architecture (ELF machine ${machine})`)
  record(BUILT)
}

/** As npm packs us: the bundle, without the sources that it is made of. */
const isPacked = () => existsSync(join(DIST, 'flanneld.cjs')) && !existsSync(join(ROOT, 'src/main.ts'))

function installPacked() {
  const beside = join(DIST, 'netlink.node')
  if (existsSync(beside) && whyNotLoaded(beside) === undefined) return say('using the one beside the bundle')
  installFromSources()
  const found = [BUILT, PREBUILT].find((directory) => unfit(directory) === undefined)
  replaceFile(join(found, 'netlink.node'), beside)
  say(`put beside the bundle, since the one there does not load in Node ${process.versions.node} on ${process.arch}`)
}

function installFromSources() {
  const fault = unfit(PREBUILT)
  if (fault === undefined) {
    rmSync(join(NATIVE, 'build'), { recursive: true, force: true })
    say(`using the prebuilt one for linux-${process.arch}`)
  } else if (unfit(BUILT) !== undefined) compile(`no prebuilt one: ${fault}`)
  else say('already compiled')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.platform !== 'linux') fail('', 'netlink exists on Linux only')
  const [mode, arch] = process.argv.slice(2)
  if (mode === '--prebuild') prebuild(arch)
  else if (mode === '--compile') compile('asked for')
  else if (isPacked()) installPacked()
  else installFromSources()
}
