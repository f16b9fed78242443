import type { ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exitOf, type Outcome } from '../lab/command.ts'
import { waitFor, type LabHost } from '../lab/index.ts'
import { AGENT_FILE } from '../lab/program.ts'
import { Place } from '../lab/namespace.ts'
import { MAKE_BUSYBOX_ROOT } from './busybox-root.ts'

/** On the tmpfs that every simulated machine has as its /run. */
const FOLDER = '/run/containerd-test'
const SOCKET = `${FOLDER}/socket`
const ROOT_FOLDER = `${FOLDER}/busybox`
const CONFLIST = '/etc/cni/net.d/10-flannel.conflist'
/** Where Debian's package has the reference plugins, and libcni looks for all of them. */
const [REFERENCE_PLUGINS, PLUGINS] = ['/usr/lib/cni', '/opt/cni/bin']

/** Folders of host-local, of our plugin and of libcni, with a file for what every container has. All are the defaults. */
const KEPT = ['/var/lib/cni/networks/cbr0', '/var/lib/cni/flannel', '/var/lib/cni/results'] as const

/**
 * `ctr` knows no other folders than these for plugins and networks: they get a layer above the machine's own that nobody else sees, and
 * that goes with containerd.
 */
const START = `set -e
for folder in etc opt var/lib; do
  mkdir -p ${FOLDER}/upper/$folder ${FOLDER}/work/$folder
  mount -t overlay overlay -o lowerdir=/$folder,upperdir=${FOLDER}/upper/$folder,workdir=${FOLDER}/work/$folder /$folder
done
mkdir -p ${PLUGINS} /etc/cni/net.d ${ROOT_FOLDER}
cp ${REFERENCE_PLUGINS}/* ${PLUGINS}
ln -sf ${AGENT_FILE} ${PLUGINS}/flannel
root=${ROOT_FOLDER}
${MAKE_BUSYBOX_ROOT}
printf '%s\\n' 'version = 2' 'disabled_plugins = ["io.containerd.grpc.v1.cri"]' > ${FOLDER}/config.toml
exec containerd --log-level warn --config ${FOLDER}/config.toml --address ${SOCKET} --root ${FOLDER}/root --state ${FOLDER}/state`

/** The container runs until it is killed. */
const COMMAND = ['/bin/sleep', '86400']
const READY = { deadlineMs: 30_000, everyMs: 100 }

/** `ctr run` in the foreground: it removes container and network when the container ends. */
const runWords = (id: string): readonly string[] => {
  const group = ['--cgroup', `/${process.env['FLANNEL_CGROUP'] ?? ''}/${id}`]
  return ['run', '--cni', '--rootfs', '--rm', '--null-io', ...group, ROOT_FOLDER, id, ...COMMAND]
}

/** A network as an operator would write it; nobody needs to masquerade here. */
const conflist = (fields: object): string =>
  JSON.stringify({
    cniVersion: '1.0.0',
    name: 'cbr0',
    plugins: [
      { type: 'flannel', delegate: { hairpinMode: true, isDefaultGateway: true, ipMasq: false }, ...fields },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  })

/** A container of {@link Containerd}, looked at from its network namespace with the machine's own tools. */
export interface Running {
  readonly id: string
  readonly pid: number
  readonly network: Place
}

/** A real containerd on a simulated machine, with its command line client, which calls CNI plugins by libcni. */
export class Containerd {
  readonly host: LabHost
  readonly logPath: string
  #daemon: ChildProcess | undefined
  readonly #clients = new Map<string, ChildProcess>()

  /** @param folder where its log goes */
  constructor(host: LabHost, folder: string) {
    this.host = host
    this.logPath = join(folder, `${host.name}-containerd.log`)
  }

  async start(): Promise<void> {
    this.#daemon = this.host.place.start(this.logPath, 'unshare', ['--mount', 'sh', '-c', START])
    await waitFor(`containerd on ${this.host.name}`, async () => (await this.ctr('version')).code === 0, READY)
    await this.configure()
  }

  /** With the mounts that containerd has. */
  get place(): Place {
    return new Place(['nsenter', `--target=${this.#daemon?.pid ?? 0}`, '--net', '--mount', '--uts', '--'])
  }

  /** Whatever came of `ctr …`. */
  ctr(...args: readonly string[]): Promise<Outcome> {
    return this.place.attempt('ctr', ['--address', SOCKET, ...args])
  }

  /** Whatever came of lines of a shell, in which `ctr` speaks to this containerd. */
  sh(lines: string): Promise<Outcome> {
    return this.place.attempt('sh', ['-ec', `export CONTAINERD_ADDRESS=${SOCKET}\n${lines}`])
  }

  /** Writes the network anew, with these fields added to the plugin's. */
  async configure(fields: object = {}): Promise<void> {
    await this.place.exec('tee', [CONFLIST], { input: conflist(fields) })
  }

  /** A container that cannot have its network: what `ctr run` says. The task that it made before is left to us. */
  async refusal(id: string): Promise<Outcome> {
    const outcome = await this.ctr(...runWords(id))
    await this.ctr('tasks', 'delete', '--force', id)
    await this.ctr('containers', 'delete', id)
    return outcome
  }

  async run(id: string): Promise<Running> {
    const client = this.place.start(this.logPath, 'ctr', ['--address', SOCKET, ...runWords(id)])
    const ended = exitOf(client).then(async () => {
      this.#clients.delete(id)
      throw new Error(`no container ${id}: ${await readFile(this.logPath, 'utf8')}`)
    })
    this.#clients.set(id, client)
    const pid = await Promise.race([waitFor(`container ${id}`, () => this.#pidOf(id), READY), ended])
    return { id, pid, network: new Place(['nsenter', `--target=${pid}`, '--net', '--']) }
  }

  async #pidOf(id: string): Promise<number | undefined> {
    const line = (await this.ctr('tasks', 'list')).stdout.split('\n').find((row) => row.startsWith(`${id} `)) ?? ''
    const [, pid = '', status] = line.split(/ +/)
    return status === 'RUNNING' ? Number(pid) : undefined
  }

  /** What {@link kept} holds of a container. */
  keptOf({ id }: Running, address: string): readonly string[] {
    const names = [address, `default-${id}`, `cbr0-default-${id}-eth0`]
    return KEPT.map((folder, at) => `${folder}/${names[at] ?? ''}`)
  }

  /** Kills the container, and waits until `ctr` has tidied up after it. */
  async remove(id: string): Promise<void> {
    const client = this.#clients.get(id)
    if (client === undefined) return
    this.#clients.delete(id)
    const ended = exitOf(client)
    const { code } = await this.ctr('tasks', 'kill', '--signal', 'SIGKILL', id)
    if (code !== 0) client.kill('SIGKILL')
    await ended
  }

  /** Files in the folders {@link KEPT} that belong to containers; locks and notes of host-local are left out. */
  async kept(): Promise<readonly string[]> {
    const { stdout } = await this.place.attempt('find', [...KEPT, '-type', 'f'])
    return stdout.split('\n').filter((path) => path !== '' && !/\/(lock|last_reserved_ip[^/]*)$/.test(path))
  }

  async stop(): Promise<void> {
    const daemon = this.#daemon
    if (daemon === undefined) return
    for (const id of this.#clients.keys()) await this.remove(id)
    this.#daemon = undefined
    const ended = exitOf(daemon)
    daemon.kill('SIGTERM')
    await ended
  }
}
