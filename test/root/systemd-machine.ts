import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { exitOf, outputOf } from '../lab/command.ts'
import { Place, waitFor, type LabHost } from '../lab/index.ts'

const ROOT = join(import.meta.dirname, '../..')
const UNITS = join(ROOT, 'packaging/systemd')

/** Brought up with everything that is ordered before ordinary services, and nothing that the machine itself would start. */
const TARGET = `[Unit]
Requires=basic.target
After=basic.target
Wants=systemd-journald.service
`

/** Stands for Docker: says what it was started with. */
const DOCKER = `[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo "$$0 $$*" > /run/docker-started' $DOCKER_OPTS
`

/**
 * A root of its own: the machine's, as far as it lies on one file system, with a layer above it that takes every write. Without units
 * of the machine's own, generators and file systems to mount; with the program and its units, put where the guides say.
 */
const MAKE_ROOT = `set -e
root=/run/machine/root
mkdir -p /run/machine/upper /run/machine/work $root
mount -t overlay overlay -o lowerdir=/,upperdir=/run/machine/upper,workdir=/run/machine/work $root
cd $root
if [ ! -x usr/lib/systemd/systemd ]; then
  for folder in bin sbin lib; do
    layers=/usr/$folder
    for unpacked in $TOOLS/$folder $TOOLS/usr/$folder; do [ ! -d $unpacked ] || layers=$unpacked:$layers; done
    own=/run/machine/$folder
    mkdir -p $own/upper $own/work
    [ $layers = /usr/$folder ] || mount -t overlay overlay -o lowerdir=$layers,upperdir=$own/upper,workdir=$own/work usr/$folder
  done
fi
rm -rf etc/systemd/system etc/fstab etc/hostname usr/lib/systemd/system-generators usr/lib/systemd/system/*.wants
mkdir -p etc/systemd/system/docker.service.d opt/flannel-agent usr/local/bin
cat /etc/machine-id > etc/machine-id
printf %s "$TARGET" > etc/systemd/system/machine.target
printf %s "$DOCKER" > etc/systemd/system/docker.service
cp $UNITS/*.service etc/systemd/system
cp $UNITS/docker.service.d/* etc/systemd/system/docker.service.d
cp $DIST/* opt/flannel-agent
ln -sf /opt/flannel-agent/flanneld.cjs usr/local/bin/flanneld
touch usr/local/bin/node
mount --bind $NODE usr/local/bin/node
`

/**
 * The file systems that a container has (systemd's "Container Interface"): its own processes, devices that do no harm, its own part of
 * the control groups, and of the kernel's settings only those of its network.
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
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs tmp
mkdir -p outside
pivot_root . outside
exec chroot . sh -c "$BOOT"`

/** Without the rights to load modules, set clocks, reboot and the like: what it may not do to its network it may not do at all. */
const BOOT = `umount -l /outside
exec env -i container=test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog,-sys_boot \
  /usr/lib/systemd/systemd --system --unit=machine.target`

/** Puts itself into a control group of its own first, so that this is all that systemd sees of them. */
const START = `set -e
groups=/sys/fs/cgroup
[ ! -d $groups/unified ] || groups=$groups/unified
mkdir -p $groups/$FLANNEL_CGROUP/systemd
echo 0 > $groups/$FLANNEL_CGROUP/systemd/cgroup.procs
exec unshare --fork --pid --mount --ipc --cgroup --kill-child sh -c "$INSIDE"`

/** A real systemd that has booted on a simulated machine, whose network and /run it shares. */
export class SystemdMachine {
  readonly host: LabHost
  readonly logPath: string
  #child: ChildProcess | undefined
  #place = new Place()

  /** @param folder where its log goes */
  constructor(host: LabHost, folder: string) {
    this.host = host
    this.logPath = join(folder, `${host.name}-systemd.log`)
  }

  /** Boots, and waits until all that is to be started then has been. */
  async boot(): Promise<void> {
    const variables = {
      ...{ TARGET, DOCKER, BOOT, UNITS, INSIDE: MAKE_ROOT + MOUNT, NODE: process.execPath },
      ...{ DIST: join(ROOT, 'dist'), TOOLS: join(ROOT, '.cache/tools') },
    }
    const settings = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
    const child = this.host.place.start(this.logPath, 'env', [...settings, 'sh', '-c', START])
    this.#child = child
    const pid = await waitFor('systemd to be started', async () => {
      const name = (await outputOf(['ps', '-o', 'pid=,comm=', '--ppid', `${child.pid ?? 0}`])).trim()
      return /^(\d+) systemd$/.exec(name)?.[1]
    })
    const namespaces = ['net', 'mount', 'uts', 'pid', 'ipc', 'cgroup'].map((name) => `--${name}`)
    this.#place = new Place(['nsenter', `--target=${pid}`, ...namespaces, '--'])
    await waitFor('systemd to be up', async () => {
      const { stdout } = await this.#place.attempt('systemctl', ['is-system-running'])
      return stdout.trim() === 'running'
    })
  }

  /** With all of its namespaces: its processes have the ids there that systemd knows. */
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
