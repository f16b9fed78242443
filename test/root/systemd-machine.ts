import { join } from 'node:path'
import type { LabHost } from '../lab/index.ts'
import { AGENT_FILE } from '../lab/program.ts'
import { Machine } from './machine.ts'

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
const MAKE_ROOT = `
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
cp $DIST/flanneld.cjs $DIST/netlink.node opt/flannel-agent
rm -f usr/bin/flanneld
if [ $AGENT = $DIST/flanneld.cjs ]; then
  ln -s /opt/flannel-agent/flanneld.cjs usr/bin/flanneld
else
  touch usr/bin/flanneld
  mount --bind $AGENT usr/bin/flanneld
fi
touch usr/local/bin/node
mount --bind $NODE usr/local/bin/node
`

/** A real systemd on the machine's own files, with the program as it was built and the units of the guides. */
export class SystemdMachine extends Machine {
  /** @param folder where its log goes */
  constructor(host: LabHost, folder: string) {
    const program = { DIST: join(ROOT, 'dist'), AGENT: AGENT_FILE, NODE: process.execPath }
    const sources = { UNITS, TOOLS: join(ROOT, '.cache/tools'), ...program }
    super(host, folder, { makeRoot: MAKE_ROOT, variables: { TARGET, DOCKER, ...sources }, unit: 'machine.target' })
  }
}
