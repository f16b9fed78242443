import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CACHE, cacheFolder, output, say, setupStep, SetupError } from './shell.mjs'
import { fetchPackageLists } from './tools.mjs'

/** What a small server has whose installer was not asked for anything; no Node, and no compiler. */
const INSTALLED = [
  ...['systemd', 'systemd-sysv', 'dbus', 'libpam-systemd', 'udev', 'kmod', 'init', 'apt-utils'],
  ...['iproute2', 'iputils-ping', 'nftables', 'iptables', 'netcat-openbsd', 'curl', 'ca-certificates'],
  ...['procps', 'sudo', 'adduser', 'less', 'lsb-release'],
]

/** What tests install on it. Lies there as packages, with all that is needed or recommended, since its hosts have no way out. */
const DOWNLOADED = [
  ...['docker.io', 'docker-cli', 'etcd-server', 'etcd-client', 'tcpdump', 'bridge-utils', 'busybox-static'],
  ...['man-db', 'ethtool', 'conntrack', 'jq', 'bash-completion'],
]
/** Likewise, but without what they recommend. */
const DOWNLOADED_ALONE = ['network-manager']

/** Started by the clock, they would take dpkg's lock from a test now and then. */
const NOT_ENABLED = ['apt-daily.timer', 'apt-daily-upgrade.timer']

/** With apt's settings for the new root, in mmdebstrap's environment. The names that this release does not have are left out. */
const DOWNLOAD = `#!/bin/sh
set -e
root=$1
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
known() { for name in $*; do [ -z "$(apt-cache show --no-all-versions $name 2>/dev/null)" ] || echo $name; done; }
rm -f "$root"/var/cache/apt/archives/*.deb
get="apt-get install -qq --yes --download-only"
$get -o APT::Install-Recommends=true $(known ${DOWNLOADED.join(' ')})
$get -o APT::Install-Recommends=false $(known ${DOWNLOADED_ALONE.join(' ')})
`

/** What is the machine's goes; what the hosts share stays. Their names, identities and addresses are given to them when they start. */
const FINISH = `#!/bin/sh
set -e
root=$1
systemctl --root="$root" --quiet disable ${NOT_ENABLED.join(' ')}
systemctl --root="$root" --quiet enable systemd-networkd.service
rm -f "$root"/etc/apt/apt.conf.d/99mmdebstrap "$root"/etc/resolv.conf "$root"/etc/hostname "$root"/var/cache/apt/*.bin
: > "$root/etc/machine-id"
: > "$root/etc/fstab"
`

const FOLDER = join(CACHE, 'rootfs')
const STAMP = 'stamp'

/** Name and release of the machine's distribution, in os-release(5)'s words. */
function distribution() {
  const text = readFileSync('/etc/os-release', 'utf8')
  const [id, suite] = ['ID', 'VERSION_CODENAME'].map((key) => new RegExp(`^${key}="?([^"\\n]*)`, 'm').exec(text)?.[1])
  if (!id || !suite) throw new SetupError('/etc/os-release names no release of Debian or Ubuntu')
  return { id, suite }
}

/** Changes with everything that the root is made of but the versions of packages. */
function recipe({ id, suite }) {
  const parts = [id, suite, process.arch, INSTALLED, NOT_ENABLED, DOWNLOAD, FINISH]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/** Those of the machine's files below /etc/apt that name mirrors of its distribution, not of anybody else. */
function sourceFiles({ id, suite }) {
  const options = fetchPackageLists()
  const format = ['--format', '$(ORIGIN)|$(SOURCESENTRY)', 'Created-By: Packages']
  const lines = (output('apt-get', [...options, 'indextargets', ...format]) ?? '').split('\n')
  const entries = lines.map((line) => line.split('|')).filter(([origin]) => origin.toLowerCase() === id)
  const files = [...new Set(entries.map(([, entry]) => entry.replace(/:[^:]*$/, '')))]
  if (files.length === 0) throw new SetupError(`apt has no source of packages for ${id} ${suite}`)
  return files
}

/** The machine's own way to its mirrors: proxies, certificates, retries. */
function aptSettings(folder) {
  const lines = (output('apt-config', ['dump']) ?? '').split('\n')
  const file = join(folder, 'apt.conf')
  writeFileSync(file, lines.filter((line) => /^Acquire::(https?|ftp|retries|check|forceipv)/i.test(line)).join('\n'))
  return file
}

/** In namespaces that end with us: whatever happens, no mount and no process stays behind. */
const CONFINED = [
  ...['setpriv', '--pdeathsig', 'KILL'],
  ...['unshare', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'],
]

function build(folder) {
  const system = distribution()
  const sources = sourceFiles(system)
  const hook = (name, script) => {
    const file = join(folder, name)
    writeFileSync(file, script, { mode: 0o755 })
    return `--customize-hook=${file}`
  }
  const [command, ...rest] = [
    ...CONFINED,
    ...['mmdebstrap', '--quiet', '--mode=root', '--variant=minbase', `--include=${INSTALLED.join(',')}`],
    ...[`--aptopt=${aptSettings(folder)}`, '--skip=cleanup/apt', hook('download', DOWNLOAD), hook('finish', FINISH)],
    ...[system.suite, join(folder, 'root'), ...sources],
  ]
  setupStep(command, rest, { env: { ...process.env, TMPDIR: folder } })
  mkdirSync(join(folder, 'disk'))
  writeFileSync(join(folder, STAMP), recipe(system))
}

function isWhole() {
  const stamp = join(FOLDER, STAMP)
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === recipe(distribution())
}

const remove = (path) => rmSync(path, { recursive: true, force: true })

/** One that has ended but was not waited for has no command line any more. */
function isAlive(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`).length > 0
  } catch {
    return false
  }
}

/** What builds left that were interrupted. */
function removeLeftovers() {
  for (const name of readdirSync(cacheFolder('.'))) {
    const pid = /^rootfs-(\d+)(-former)?$/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(pid)) remove(join(CACHE, name))
  }
}

/** Another run in this checkout may have been faster, and its hosts use what it made. */
function putInPlace(folder) {
  if (isWhole()) return remove(folder)
  const former = join(CACHE, `rootfs-${process.pid}-former`)
  if (existsSync(FOLDER)) renameSync(FOLDER, former)
  renameSync(folder, FOLDER)
  remove(former)
}

/**
 * Makes `.cache/rootfs/root`, once: a small server of the machine's own distribution and release, from the machine's own sources of
 * packages, as the lower layer of simulated machines. Beside it lies `disk`, an empty folder for each of them to mount its disk on.
 * Only for root; {@link CACHE} is needed on a file system that takes owners and devices.
 * @returns the folder of both
 * @throws {SetupError} when it cannot be made
 */
export function ensureRootfs() {
  removeLeftovers()
  if (isWhole()) return FOLDER
  const folder = cacheFolder(`rootfs-${process.pid}`)
  say('Making the root file system of clean hosts (once, a minute or two) …')
  try {
    build(folder)
    putInPlace(folder)
  } catch (error) {
    remove(folder)
    throw error
  }
  return FOLDER
}
