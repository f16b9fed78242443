// Debian's packages for the image, fetched with the machine's own apt; nothing is installed.
//
//   node packaging/oci/debian.mjs FOLDER [ARCH]     only fetches them, for `npm run package -- --debs FOLDER` without a network
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What the agent calls: nft, iptables, and a shell with cat in front of nft; and the libraries that the executable needs. */
const WANTED = ['nftables', 'iptables', 'busybox-static', 'libstdc++6']

const run = (command, args, options = {}) => spawnSync(command, args, { encoding: 'utf8', ...options })

/**
 * Fetches them, with all that they need, into a folder.
 * @returns what hindered it, undefined when they are there
 */
export function fetchDebs(folder, arch) {
  const { id } = osRelease()
  if (id !== 'debian') return `it is made of Debian's packages, and this is ${id || 'unknown'}`
  const plan = run('apt-get', [...aptOptions(arch), '-s', 'install', '--no-install-recommends', ...WANTED])
  if (plan.error !== undefined) return `there is no apt-get (${plan.error.message})`
  if (plan.status !== 0) return `apt-get cannot resolve ${WANTED.join(' ')}: ${plan.stderr.trim()}`
  const chosen = Array.from(plan.stdout.matchAll(/^Inst (\S+) \((\S+) /gm), ([, name, version]) => `${name}=${version}`)
  mkdirSync(folder, { recursive: true })
  const { status, stderr } = run('apt-get', [...aptOptions(arch), 'download', ...chosen], { cwd: folder })
  return status === 0 ? undefined : `apt-get cannot fetch ${chosen.join(' ')}: ${stderr.trim()}`
}

/**
 * Unpacks them below `scratch`.
 * @param debs folder where they are already; undefined: they are fetched
 * @returns `{ packages, folder }`, or `{ problem }` where they cannot be had
 */
export function debianPackages({ arch }, debs, scratch) {
  const archives = debs ?? join(scratch, 'archives')
  const problem = debs === undefined ? fetchDebs(archives, arch) : undefined
  if (problem !== undefined) return { problem }
  const folder = join(scratch, 'image')
  mkdirSync(folder)
  const names = readdirSync(archives).filter((name) => name.endsWith('.deb'))
  const { release } = osRelease()
  return { packages: names.sort().map((name) => unpack(join(archives, name), folder, release)), folder }
}

/** As if nothing were installed; without root's rights to write into /var. */
function aptOptions(arch) {
  const settings = ['Dir::State::status=/dev/null', `APT::Architecture=${arch}`, 'Debug::NoLocking=1']
  return [...settings, 'APT::Sandbox::User=root'].flatMap((setting) => ['-o', setting])
}

function osRelease() {
  const { stdout } = run('sh', ['-c', '. /etc/os-release && echo "$ID $VERSION_ID"'])
  const [id, release] = (stdout ?? '').trim().split(' ')
  return { id, release }
}

function unpack(path, folder, release) {
  const { status, stderr } = run('dpkg-deb', ['-x', path, folder])
  if (status !== 0) throw new Error(`dpkg-deb -x ${path}: ${stderr}`)
  const fields = run('dpkg-deb', ['-f', path, 'Package', 'Version', 'Architecture']).stdout
  const field = (name) => new RegExp(`^${name}: (.*)$`, 'm').exec(fields)?.[1]
  const hash = createHash('sha256').update(readFileSync(path)).digest('hex')
  return { name: field('Package'), version: field('Version'), arch: field('Architecture'), release, hash }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder = '', arch = process.arch === 'x64' ? 'amd64' : process.arch] = process.argv.slice(2)
  const problem = folder === '' ? 'expected a folder' : fetchDebs(resolve(folder), arch)
  if (problem !== undefined) {
    console.error(`the image cannot be made: ${problem}`)
    process.exitCode = 1
  }
}
