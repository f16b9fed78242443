import { readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { insideRootNamespace } from './namespace.mjs'
import { SetupError } from './shell.mjs'
import { ensureRootTools } from './tools.mjs'
import { spawnSync } from 'node:child_process'

const CGROUPS = '/sys/fs/cgroup'

/** Name of the control group that belongs to this run, in every hierarchy; tests put into it what makes groups of its own. */
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

/** Every user id of the kernel, mapped to itself: no user namespace (user_namespaces(7)). */
const ALL_USERS = /^\s*0\s+0\s+4294967295\s*$/

function hindrance() {
  if (process.getuid() !== 0) return 'it needs root (sudo npm test)'
  if (!ALL_USERS.test(readFileSync('/proc/self/uid_map', 'utf8'))) return 'this is root of a user namespace only'
  const [command, ...args] = insideRootNamespace(['sh', '-ec', TRIAL])
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] })
  if (status !== 0)
    return `this root may not do what container engines do: ${(stderr || error?.message || '').trim() || `exit code ${status}`}`
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
  for (const hierarchy of hierarchies) removeGroup(join(hierarchy, CGROUP))
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

let answer

/** Why the project `root` cannot run on this machine; undefined when it can, and then all is prepared for it. */
export function whyNotAsRoot() {
  answer ??= { hindrance: hindrance() }
  if (answer.hindrance === undefined && process.env.FLANNEL_CGROUP === undefined) {
    process.env.FLANNEL_CGROUP = CGROUP
    process.once('exit', removeCgroups)
  }
  return answer.hindrance
}
