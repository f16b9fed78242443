import { existsSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { insideRootNamespace } from './namespace.mjs'
import { ensureRootfs } from './rootfs.mjs'
import { CACHE, ROOT, say, SetupError } from './shell.mjs'
import { ensureRootTools } from './tools.mjs'
import { spawnSync } from 'node:child_process'

const CGROUPS = '/sys/fs/cgroup'

/**
 * Name of the control group that belongs to this run, in every hierarchy; tests put into it what makes groups of its own. Of several
 * processes side by side each has one of its own, whose name begins so.
 */
const CGROUP = `flannel-root-${process.pid}`

/** What a container engine does, tried where nothing comes of it. */
const TRIAL = `
ip link add probe type bridge
mkdir /run/tmp/lower /run/tmp/upper /run/tmp/work /run/tmp/merged
mount -t overlay overlay -o lowerdir=/run/tmp/lower,upperdir=/run/tmp/upper,workdir=/run/tmp/work /run/tmp/merged
hierarchy=${CGROUPS}
[ ! -d ${CGROUPS}/pids ] || hierarchy=${CGROUPS}/pids
mkdir $hierarchy/${CGROUP}
rmdir $hierarchy/${CGROUP}`

/** What a systemd of a simulated machine needs besides: the machine's root below a layer of its own, and a part of the control groups. */
const SYSTEMD_TRIAL = `
mkdir /run/tmp/upper /run/tmp/work /run/tmp/merged /run/tmp/groups
mount -t overlay overlay -o lowerdir=/,upperdir=/run/tmp/upper,workdir=/run/tmp/work /run/tmp/merged
groups=${CGROUPS}
[ ! -d ${CGROUPS}/unified ] || groups=${CGROUPS}/unified
[ -e $groups/cgroup.controllers ] || { echo 'there is no unified hierarchy of control groups' >&2; exit 1; }
[ -L /lib ] || { echo '/lib and /usr/lib are not one' >&2; exit 1; }
mkdir -p $groups/${CGROUP}/trial
(echo 0 > $groups/${CGROUP}/trial/cgroup.procs; unshare --cgroup --mount mount -t cgroup2 cgroup2 /run/tmp/groups)
rmdir $groups/${CGROUP}/trial $groups/${CGROUP}`

/** Every user id of the kernel, mapped to itself: no user namespace (user_namespaces(7)). */
const ALL_USERS = /^\s*0\s+0\s+4294967295\s*$/

/** What a script says that fails in namespaces of root's; undefined when it does not. */
function failureOf(script) {
  const [command, ...args] = insideRootNamespace(['sh', '-ec', script])
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] })
  return status === 0 ? undefined : (stderr || error?.message || '').trim() || `exit code ${status}`
}

function hindrance() {
  if (process.getuid() !== 0) return 'it needs root (sudo npm test)'
  if (!ALL_USERS.test(readFileSync('/proc/self/uid_map', 'utf8'))) return 'this is root of a user namespace only'
  const refused = failureOf(TRIAL)
  if (refused !== undefined) return `this root may not do what container engines do: ${refused}`
  try {
    ensureRootTools()
  } catch (failure) {
    if (!(failure instanceof SetupError)) throw failure
    return failure.message
  }
  return undefined
}

/** Removes our control groups with what is below. The kernel takes a moment to let go of processes that have been killed. */
function removeCgroups() {
  const hierarchies = [CGROUPS, ...readdirSync(CGROUPS, { withFileTypes: true }).flatMap(folderIn(CGROUPS))]
  for (const hierarchy of hierarchies)
    for (const name of readdirSync(hierarchy)) if (name.startsWith(CGROUP)) removeGroup(join(hierarchy, name))
}

const folderIn = (parent) => (entry) => (entry.isDirectory() ? [join(parent, entry.name)] : [])

const ATTEMPTS = 50
const PAUSE_MS = 20

function removeGroup(path) {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      for (const child of readdirSync(path, { withFileTypes: true }).flatMap(folderIn(path))) removeGroup(child)
      return rmdirSync(path)
    } catch (error) {
      if (error.code !== 'EBUSY') return
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
    }
  }
}

/** Fetches Debian's packages for our container image, once: the tests themselves have no network. */
function prepareImage() {
  const folder = join(CACHE, 'image-debs')
  process.env.FLANNEL_IMAGE_DEBS = folder
  if (existsSync(folder)) return
  const script = join(ROOT, 'packaging/oci/debian.mjs')
  const { status, stderr } = spawnSync(process.execPath, [script, `${folder}.new`], { encoding: 'utf8' })
  if (status === 0) return renameSync(`${folder}.new`, folder)
  rmSync(`${folder}.new`, { recursive: true, force: true })
  say(`The tests of the image are skipped: ${stderr.trim()}`)
  process.env.FLANNEL_NO_IMAGE = stderr.trim()
}

/** Makes ready for hosts with a systemd, or says why there are none. */
function prepareSystemd() {
  const refused = failureOf(SYSTEMD_TRIAL)
  if (refused !== undefined) {
    say(`The tests of "root" with a systemd are skipped: ${refused}`)
    process.env.FLANNEL_NO_SYSTEMD = refused
    process.env.FLANNEL_NO_CLEAN_HOSTS = refused
    return
  }
  prepareImage()
  try {
    process.env.FLANNEL_ROOTFS = ensureRootfs()
  } catch (failure) {
    if (!(failure instanceof SetupError)) throw failure
    say(`The tests of "root" on clean hosts are skipped: ${failure.message}`)
    process.env.FLANNEL_NO_CLEAN_HOSTS = failure.message
  }
}

let answer

/** Why the project `root` cannot run on this machine; undefined when it can, and then all is prepared for it. */
export function whyNotAsRoot() {
  answer ??= { hindrance: hindrance() }
  if (answer.hindrance === undefined && process.env.FLANNEL_CGROUP === undefined) {
    process.env.FLANNEL_CGROUP = CGROUP
    process.once('exit', removeCgroups)
    prepareSystemd()
  }
  return answer.hindrance
}
