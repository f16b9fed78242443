import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { outputOf } from '../lab/command.ts'
import { UNDERLAY } from '../lab/underlay.ts'
import type { LabHost } from '../lab/index.ts'
import { Machine } from './machine.ts'

/** Where test/setup/rootfs.mjs has put what all of them have. */
export const ROOTFS = process.env['FLANNEL_ROOTFS'] ?? join(import.meta.dirname, '../../.cache/rootfs')

/** Keeps all that is written until the laboratory ends, in the mount namespace of the simulated machine, which its systemd does not. */
const INSERT_DISK = `set -e
cd "$ROOTFS"
mountpoint -q disk || mount -t tmpfs -o mode=755 tmpfs disk
mkdir -p disk/upper disk/work disk/root disk/docker disk/containerd`

/**
 * The disk above the common root. Container engines lay overlays of their own upon their folders, which the kernel refuses upon an
 * overlay: as on many servers, these folders are file systems of their own. What is there at the second start is left as it was.
 */
const MAKE_ROOT = `
cd "$ROOTFS"
mount -t overlay overlay -o lowerdir=root,upperdir=disk/upper,workdir=disk/work disk/root
for engine in docker containerd; do
  mkdir -p -m 711 disk/root/var/lib/$engine
  mount --bind disk/$engine disk/root/var/lib/$engine
done
cd disk/root
cat /etc/machine-id > etc/machine-id
[ -e etc/hostname ] || {
  hostname > etc/hostname
  printf '127.0.0.1\\tlocalhost\\n127.0.1.1\\t%s\\n' "$(hostname)" > etc/hosts
  printf %s "$NETWORK" > etc/systemd/network/10-eth0.network
}`

/** The addresses that the laboratory has for this machine, as an administrator would give them to it. */
const networkOf = ({ address, address6 }: LabHost): string => `[Match]
Name=eth0
[Network]
Address=${address}/${UNDERLAY.prefixLength}
Gateway=${UNDERLAY.gateway}
Address=${address6}/${UNDERLAY.prefixLength6}
Gateway=${UNDERLAY.gateway6}
IPv6AcceptRA=no
`

/** A file, with its mode, or a folder with all that is in it. */
const COPY = `set -e
from=$1 to=$2
shift 2
if [ -d "$from" ]; then
  tar -C "$from" -c . | "$@" sh -ec 'mkdir -p "$0"; tar -C "$0" -x --no-same-owner' "$to"
else
  mode=$(stat -c %a "$from")
  "$@" sh -ec 'mkdir -p "$(dirname "$0")"; rm -f "$0"; cat > "$0"; chmod "$1" "$0"' "$to" "$mode" < "$from"
fi`

/**
 * A server as its distribution installs it, without Node and without us, whose init is systemd and whose network networkd configures.
 * It has a disk of its own, from which it starts again; packages can be installed on it without a network.
 */
export class CleanMachine extends Machine {
  /** @param folder where its log goes */
  constructor(host: LabHost, folder: string) {
    super(host, folder, { makeRoot: MAKE_ROOT, variables: { ROOTFS, NETWORK: networkOf(host) } })
  }

  /** Switches it on, and waits until all that is to be started then has been, its network included. */
  override async boot(): Promise<void> {
    await this.host.powerCycle()
    await this.host.place.exec('env', [`ROOTFS=${ROOTFS}`, 'sh', '-c', INSERT_DISK])
    await super.boot()
  }

  /** Stops all in order and starts it again, from its disk. For a power failure instead, call `powerOff()` and `boot()`. */
  async reboot(): Promise<void> {
    await this.shutDown()
    await this.boot()
  }

  /** Copies a file or folder of ours to a path on its disk; folders on the way are made. The owner is root there. */
  async copyIn(path: string, ours: string): Promise<void> {
    await stat(ours)
    await outputOf(['sh', '-c', COPY, 'sh', ours, path, ...this.place.line('env', [])], { timeoutMs: 120_000 })
  }

  /** Installs packages by `apt-get`, from those that lie in the common root or from files on its disk. Gives what it printed. */
  install(...packages: readonly string[]): Promise<string> {
    const options = ['-o', 'APT::Install-Recommends=false', '--yes', '--quiet']
    return this.place.exec('env', ['DEBIAN_FRONTEND=noninteractive', 'apt-get', 'install', ...options, ...packages], {
      timeoutMs: 180_000,
    })
  }
}
