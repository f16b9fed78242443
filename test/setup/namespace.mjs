import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { SetupError } from './shell.mjs'

/**
 * Run by the first process of the new namespaces. Files go to a private tmpfs, processes belong to a PID namespace: both vanish
 * with it, however it ends. `$$` of the outer shell is what an operator enters the laboratory by.
 */
const PRELUDE = `
mount -t tmpfs -o mode=755 tmpfs /run && mkdir -m 1777 /run/tmp && ip link set lo up || exit 125
export TMPDIR=/run/tmp FLANNEL_LAB=1
"$@"
exit $?`

const UNSHARE = ['unshare', '--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child']

/** What root can do without a user namespace, with all of root's rights in it. */
const AS_ROOT = { kind: 'root', unshare: UNSHARE }

const ways = () => [
  { kind: 'user', unshare: [...UNSHARE, '--user', '--map-root-user'] },
  ...(process.getuid() === 0 ? [AS_ROOT] : []),
]

/** The command line that runs `command` inside new namespaces, and dies with its parent. */
function commandLine({ kind, unshare }, command) {
  const outer = `export FLANNEL_LAB_PID=$$ FLANNEL_LAB_KIND=${kind}; exec "$@"`
  return ['sh', '-c', outer, 'sh', 'setpriv', '--pdeathsig', 'KILL', ...unshare, 'sh', '-c', PRELUDE, 'sh', ...command]
}

const attempt = (way) => {
  const [command, ...args] = commandLine(way, ['ip', 'link', 'add', 'probe', 'type', 'bridge'])
  return spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] })
}

function sysctl(name) {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** Why the kernel forbids an ordinary user what the laboratory needs, as far as it can be told. */
function likelyReason() {
  if (sysctl('kernel/apparmor_restrict_unprivileged_userns') === '1')
    return 'AppArmor restricts unprivileged user namespaces here (kernel.apparmor_restrict_unprivileged_userns = 1, as on Ubuntu 24.04)'
  if (sysctl('kernel/unprivileged_userns_clone') === '0')
    return 'unprivileged user namespaces are switched off here (kernel.unprivileged_userns_clone = 0)'
  if (sysctl('user/max_user_namespaces') === '0')
    return 'user namespaces are switched off here (user.max_user_namespaces = 0)'
  return 'this machine (or the container it is) does not allow namespaces'
}

let way

/** How to enter: in a user namespace where allowed, as plain root otherwise. Found by trying. */
function chooseWay() {
  const failures = []
  for (const candidate of ways()) {
    const { status, stderr, error } = attempt(candidate)
    if (status === 0) return candidate
    failures.push((stderr || error?.message || `exit code ${status}`).trim())
  }
  throw new SetupError(
    `The laboratory needs network, mount and PID namespaces, and ${likelyReason()}.\n` +
      `  ${failures.join('\n  ')}\n` +
      (process.getuid() === 0
        ? 'Run it on a machine or VM of its own.'
        : 'As root it works: sudo npm run demo, sudo npm test'),
  )
}

/** @throws {SetupError} with the way out when no namespace can be had */
export function insideNamespace(command) {
  way ??= chooseWay()
  return commandLine(way, command)
}

/** As {@link insideNamespace}, with the rights of the machine's root: what Docker and its like need. Only for root. */
export const insideRootNamespace = (command) => commandLine(AS_ROOT, command)
