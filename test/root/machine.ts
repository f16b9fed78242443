import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { exitOf, outputOf } from '../lab/command.ts'
import { Place, waitFor, type LabHost } from '../lab/index.ts'

/**
 * The file systems that a container has (systemd's "Container Interface"): its own processes, devices that do no harm, its own part of
 * the control groups, and of the kernel's settings only those of its network. In the folder that is to be its root.
 */
const MOUNT = `
mount --bind /run run
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys
[ ! -e proc/sysrq-trigger ] || mount --bind /dev/null proc/sysrq-trigger
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do touch dev/$node; mount --bind /dev/$node dev/$node; done
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p outside
pivot_root . outside
exec chroot . sh -c "$BOOT"`

/** What everything on it finds in its environment, and nothing of ours. */
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Without the rights to load modules, set clocks, reboot and the like: what it may not do to its network it may not do at all. */
const BOOT = `umount -l /outside
rmdir /outside
mount --make-rshared /
exec env -i container=test ${PATH} \
  setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog,-sys_boot \
  /usr/lib/systemd/systemd --system $UNIT`

/** Puts itself into a control group of its own first, so that this is all that systemd sees of them. */
const START = `set -e
groups=/sys/fs/cgroup
[ ! -d $groups/unified ] || groups=$groups/unified
groups=$groups/$FLANNEL_CGROUP
mkdir -p $groups
for controller in $(cat $groups/cgroup.controllers); do
  echo +$controller > $groups/cgroup.subtree_control || true
done 2>/dev/null
mkdir -p $groups/$GROUP
echo 0 > $groups/$GROUP/cgroup.procs
exec unshare --fork --pid --mount --ipc --cgroup --kill-child sh -c "$INSIDE"`

const NAMESPACES = ['net', 'mount', 'uts', 'pid', 'ipc', 'cgroup'].map((name) => `--${name}`)

/** What a kind of machine is started with. */
export interface Image {
  /** Shell script that makes the root file system in the machine's mount namespace, and enters its folder. */
  readonly makeRoot: string
  /** What the script reads. */
  readonly variables: Readonly<Record<string, string>>
  /** What to boot to; the system's default when absent. */
  readonly unit?: string
}

/** A real systemd that has booted on a simulated machine, whose network and /run it shares. */
export class Machine {
  readonly host: LabHost
  readonly logPath: string
  readonly #image: Image
  #child: ChildProcess | undefined
  #place = new Place()

  /** @param folder where its log goes */
  constructor(host: LabHost, folder: string, image: Image) {
    this.host = host
    this.logPath = join(folder, `${host.name}-systemd.log`)
    this.#image = image
  }

  /** Boots, and waits until all that is to be started then has been. */
  async boot(): Promise<void> {
    const { makeRoot, variables, unit } = this.#image
    const all = {
      ...variables,
      ...{ BOOT, INSIDE: `set -e\n${makeRoot}${MOUNT}`, UNIT: unit === undefined ? '' : `--unit=${unit}` },
      GROUP: `systemd-${this.host.name}`,
    }
    const settings = Object.entries(all).map(([name, value]) => `${name}=${value}`)
    const child = this.host.place.start(this.logPath, 'env', [...settings, 'sh', '-c', START])
    this.#child = child
    const pid = await waitFor('systemd to be started', async () => {
      const name = (await outputOf(['ps', '-o', 'pid=,comm=', '--ppid', `${child.pid ?? 0}`])).trim()
      return /^(\d+) systemd$/.exec(name)?.[1]
    })
    const environment = ['env', '-i', '--chdir=/', PATH, 'HOME=/root', 'USER=root', 'LANG=C.UTF-8', 'TERM=dumb']
    this.#place = new Place(['nsenter', `--target=${pid}`, ...NAMESPACES, '--', ...environment])
    await waitFor('systemd to be up', () => this.#isUp(), { deadlineMs: 60_000 })
  }

  async #isUp(): Promise<boolean> {
    const { stdout } = await this.#place.attempt('systemctl', ['is-system-running'])
    const state = stdout.trim()
    if (state === 'degraded') throw new Error(await this.systemctl('--failed', '--no-legend', '--plain'))
    return state === 'running'
  }

  /** With all of its namespaces: its processes have the ids there that systemd knows. Nothing of our environment is in theirs. */
  get place(): Place {
    return this.#place
  }

  /** @throws {CommandError} when it fails */
  async systemctl(...args: readonly string[]): Promise<string> {
    return (await this.#place.exec('systemctl', args, { timeoutMs: 60_000 })).trim()
  }

  /** One property of a unit. */
  show(unit: string, property: string): Promise<string> {
    return this.systemctl('show', '--value', `--property=${property}`, unit)
  }

  /** Writes a file below /etc, and lets systemd read its units again. */
  async configure(path: string, text: string): Promise<void> {
    await this.#place.exec('sh', ['-c', 'mkdir -p "$(dirname "$0")"; cat > "$0"', `/etc/${path}`], { input: text })
    await this.systemctl('daemon-reload')
  }

  /** What the journal has of a unit. */
  journal(unit: string): Promise<string> {
    return this.#place.exec('journalctl', ['--no-pager', '--output=cat', `--unit=${unit}`])
  }

  /** Stops everything in order, as `systemctl poweroff` does. @param deadlineMs after which the plug is pulled */
  async shutDown(deadlineMs = 60_000): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const ended = exitOf(child)
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs)
    await this.#place.attempt('systemctl', ['poweroff'])
    await ended
    clearTimeout(timer)
    this.#child = undefined
  }

  /** The plug is pulled: its processes end with it. */
  async powerOff(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    const ended = exitOf(child)
    child.kill('SIGKILL')
    await ended
  }
}
