import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the agent calls: nft, iptables, and a shell with cat in front of nft; and the libraries that the executable needs. */
const WANTED = ['nftables', 'iptables', 'busybox-static', 'libstdc++6']

const run = (command, args, options = {}) => spawnSync(command, args, { encoding: 'utf8', ...options })

/**
 * Fetches Debian's packages for the image with the machine's own apt, and unpacks them below `scratch`. Nothing is installed.
 * @returns `{ packages, folder }`, or `{ problem }` where they cannot be had
 */
export function debianPackages({ arch }, scratch) {
  const os = osRelease()
  if (os.id !== 'debian') return { problem: `it is made of Debian's packages, and this is ${os.id ?? 'unknown'}` }
  const plan = run('apt-get', [...aptOptions(arch), '-s', 'install', '--no-install-recommends', ...WANTED])
  if (plan.error !== undefined) return { problem: `there is no apt-get (${plan.error.message})` }
  if (plan.status !== 0) return { problem: `apt-get cannot resolve ${WANTED.join(' ')}: ${plan.stderr.trim()}` }
  const chosen = Array.from(plan.stdout.matchAll(/^Inst (\S+) \((\S+) /gm), ([, name, version]) => `${name}=${version}`)
  const [archives, folder] = ['archives', 'image'].map((name) => join(scratch, name))
  for (const made of [archives, folder]) mkdirSync(made)
  const fetched = run('apt-get', [...aptOptions(arch), 'download', ...chosen], { cwd: archives })
  if (fetched.status !== 0) return { problem: `apt-get cannot fetch ${chosen.join(' ')}: ${fetched.stderr.trim()}` }
  const packages = readdirSync(archives)
    .sort()
    .map((name) => unpack(join(archives, name), folder, os.release))
  return { packages, folder }
}

/** As if nothing were installed; without root's rights to write into /var. */
function aptOptions(arch) {
  const settings = [
    'Dir::State::status=/dev/null',
    `APT::Architecture=${arch}`,
    'Debug::NoLocking=1',
    'APT::Sandbox::User=root',
  ]
  return settings.flatMap((setting) => ['-o', setting])
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
