import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { CACHE, cacheFolder, output, say, setupStep, SetupError } from './shell.mjs'

/** Commands that the laboratory calls, by the Debian package that brings them. One that is no command of a shell has its path. */
const PACKAGES = {
  'etcd-server': ['etcd'],
  'etcd-client': ['etcdctl'],
  iproute2: ['ip', 'bridge', 'tc'],
  nftables: ['nft'],
  iptables: ['iptables-nft', 'iptables-legacy'],
  tshark: ['tshark', 'dumpcap'],
  'iputils-ping': ['ping'],
  curl: ['curl'],
  ethtool: ['ethtool'],
  strace: ['strace'],
  faketime: ['faketime'],
  'kubernetes-client': ['kubectl'],
  'containernetworking-plugins': ['usr/lib/cni/bridge', 'usr/lib/cni/host-local'],
  'util-linux': ['unshare', 'nsenter', 'setpriv'],
}

/**
 * For the project `root` alone. Unpacked in the checkout and never installed: Docker's package would start a daemon on this machine,
 * which would change its network, and systemd's would become its init.
 */
const ROOT_PACKAGES = {
  'docker.io': ['dockerd', 'docker'],
  containerd: ['containerd', 'containerd-shim-runc-v2', 'ctr'],
  runc: ['runc'],
  'busybox-static': ['busybox'],
  systemd: ['systemctl', 'journalctl'],
  mmdebstrap: ['mmdebstrap'],
  udev: ['udevadm'],
  'network-manager': ['NetworkManager', 'nmcli'],
  'dbus-daemon': ['dbus-daemon'],
}
/** Installed as usual: they start nothing, and need more than their files. */
const ROOT_PACKAGES_TO_INSTALL = {
  iptables: ['iptables'],
  lintian: ['lintian'],
  shellcheck: ['shellcheck'],
  zsh: ['zsh'],
}

const UNPACKED = join(CACHE, 'tools')
const ADMIN_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin']
const UNPACKED_FOLDERS = ['usr/bin', 'usr/sbin', 'bin', 'sbin'].map((folder) => join(UNPACKED, folder))

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const onPath = (command) =>
  process.env.PATH.split(delimiter).some((folder) => folder !== '' && isExecutable(join(folder, command)))

const isThere = (command) =>
  command.includes('/') ? ['/', UNPACKED].some((root) => isExecutable(join(root, command))) : onPath(command)

/** Folders of the unpacked packages that hold shared libraries. */
function unpackedLibraries() {
  const roots = [join(UNPACKED, 'usr/lib'), join(UNPACKED, 'lib')].filter((folder) => existsSync(folder))
  const nested = roots.flatMap((root) =>
    readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(root, entry.name)),
  )
  return [...roots, ...nested].filter((folder) => readdirSync(folder).some((name) => name.includes('.so')))
}

/** A list of folders without empty ones, which would mean the working directory, each once. */
const joined = (folders) => [...new Set(folders)].filter(Boolean).join(delimiter)

/**
 * Adds what an ordinary user's PATH lacks, and the unpacked tools last, so that the machine's own win. Commands are found there from the
 * moment they are unpacked, by whichever process; their libraries only after this has been called again.
 */
function extendEnvironment() {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...ADMIN_FOLDERS, ...UNPACKED_FOLDERS]
  process.env.PATH = joined(folders)
  const libraries = unpackedLibraries()
  if (libraries.length > 0)
    process.env.LD_LIBRARY_PATH = joined([...(process.env.LD_LIBRARY_PATH ?? '').split(delimiter), ...libraries])
}

const missingPackages = (packages = PACKAGES) => Object.keys(packages).filter((name) => !packages[name].every(isThere))

function installAsRoot(names, prefix = []) {
  const apt = (...args) => {
    const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', 'apt-get', ...args]
    setupStep(command, rest)
  }
  apt('update', '-qq')
  apt('install', '-y', '-qq', '--no-install-recommends', ...names)
}

/** Fetches the machine's package lists into the checkout, which needs no rights. Gives the options for `apt-get` to use them. */
export function fetchPackageLists() {
  const folder = cacheFolder('apt')
  for (const part of ['lists/partial', 'archives/partial']) cacheFolder(join('apt', part))
  const settings = [`Dir::State::lists=${folder}/lists`, `Dir::Cache=${folder}`, 'Debug::NoLocking=1']
  const options = settings.flatMap((setting) => ['-o', setting])
  setupStep('apt-get', [...options, 'update', '-qq'])
  return options
}

/**
 * Downloads the packages with whatever libraries the machine lacks, and unpacks them in `.cache/<name>`; needs no rights.
 * @throws {SetupError} when they cannot be had
 */
export function unpackInCheckout(names, name = 'tools') {
  const archives = cacheFolder(join('apt', name === 'tools' ? 'archives' : `archives-${name}`))
  const options = fetchPackageLists()
  const simulation = [...options, '-s', 'install', '--no-install-recommends', ...names]
  const plan = output('apt-get', simulation, { stdio: ['ignore', 'pipe', 2] })
  if (plan === undefined) throw new SetupError(`apt-get cannot resolve ${names.join(' ')}`)
  const wanted = [...plan.matchAll(/^Inst (\S+) /gm)].map(([, name]) => name)
  setupStep('apt-get', [...options, 'download', ...wanted], { cwd: archives })
  for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb')))
    setupStep('dpkg', ['-x', join(archives, file), cacheFolder(name)])
}

/** Finds the tools, or installs them: as root, by a sudo that asks nothing, or unpacked in the checkout. */
export function ensureTools() {
  extendEnvironment()
  const names = missingPackages()
  if (names.length === 0) return
  const needed = `these packages: ${names.join(' ')}`
  if (!onPath('apt-get'))
    throw new SetupError(`This machine has no apt-get. Please install what Debian calls ${needed}`)
  say(`Installing ${needed} …`)
  if (process.getuid() === 0) installAsRoot(names)
  else if (onPath('sudo') && output('sudo', ['-n', 'true']) !== undefined) installAsRoot(names, ['sudo', '-n'])
  else unpackInCheckout(names)
  extendEnvironment()
  const still = missingPackages()
  if (still.length > 0) throw new SetupError(`Could not install ${still.join(' ')}; please install them by hand`)
}

/** Finds or fetches what the project `root` needs. Only for root. @throws {SetupError} when that cannot be had */
export function ensureRootTools() {
  extendEnvironment()
  const [unpack, install] = [missingPackages(ROOT_PACKAGES), missingPackages(ROOT_PACKAGES_TO_INSTALL)]
  const names = [...unpack, ...install]
  if (names.length === 0) return
  if (!onPath('apt-get')) throw new SetupError(`there is no apt-get to fetch ${names.join(' ')} with`)
  say(`Fetching these packages: ${names.join(' ')} …`)
  if (install.length > 0) installAsRoot(install)
  if (unpack.length > 0) unpackInCheckout(unpack)
  extendEnvironment()
  const still = [...missingPackages(ROOT_PACKAGES), ...missingPackages(ROOT_PACKAGES_TO_INSTALL)]
  if (still.length > 0) throw new SetupError(`could not fetch ${still.join(' ')}`)
}
