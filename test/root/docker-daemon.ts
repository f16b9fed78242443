import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { exitOf } from '../lab/command.ts'
import { agentCall } from '../lab/program.ts'
import { waitFor, type LabHost } from '../lab/index.ts'
import { MAKE_BUSYBOX_ROOT } from './busybox-root.ts'

/** Where all of a daemon's files are, on the tmpfs that every simulated machine has as its /run. */
const FOLDER = '/run/docker-test'
const SOCKET = `unix://${FOLDER}/docker.sock`

/**
 * As a unit file would start it: the words of the variable become arguments. `exec`, so that signals reach Docker itself. It writes
 * into /etc, which is the machine's own: here into a layer above it that nobody else sees.
 */
const START = `set -e
mkdir -p ${FOLDER}/etc ${FOLDER}/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=${FOLDER}/etc,workdir=${FOLDER}/work /etc
echo '{}' > ${FOLDER}/daemon.json
. /run/docker_opts.env
exec dockerd $DOCKER_OPTS "$@"`

const IMAGE = 'busybox'
const MAKE_IMAGE = `set -e
root=$(mktemp -d)
${MAKE_BUSYBOX_ROOT}
mkdir "$root/www"
tar -C "$root" -c . | docker -H ${SOCKET} import - ${IMAGE}
rm -r "$root"`

/** The container that each machine has: a web server that logs who asks, and the tools of busybox. */
export const WEB = 'web'

/** A real Docker on a simulated machine, started with what `flanneld docker-opts` says there. */
export class DockerDaemon {
  readonly host: LabHost
  readonly logPath: string
  #child: ChildProcess | undefined

  /** @param folder where its log goes */
  constructor(host: LabHost, folder: string) {
    this.host = host
    this.logPath = join(folder, `${host.name}-docker.log`)
  }

  /** Writes Docker's options anew, starts it and waits until it answers. */
  async start(): Promise<void> {
    const { place } = this.host
    await place.exec(...agentCall('docker-opts'))
    const files = ['--data-root', `${FOLDER}/data`, '--exec-root', `${FOLDER}/exec`, '--pidfile', `${FOLDER}/pid`]
    const groups = [
      '--cgroup-parent',
      `/${process.env['FLANNEL_CGROUP'] ?? ''}`,
      '--exec-opt',
      'native.cgroupdriver=cgroupfs',
    ]
    const flags = [
      ...files,
      '--config-file',
      `${FOLDER}/daemon.json`,
      ...groups,
      '--host',
      SOCKET,
      '--storage-driver',
      'overlay2',
    ]
    this.#child = place.start(this.logPath, 'unshare', ['--mount', 'sh', '-c', START, 'sh', ...flags])
    await waitFor(`Docker on ${this.host.name}`, () => this.docker('version').then(() => true), { deadlineMs: 60_000 })
  }

  async importImage(): Promise<void> {
    await this.host.place.exec('sh', ['-c', MAKE_IMAGE])
  }

  /** Standard output of `docker …`. */
  docker(...args: readonly string[]): Promise<string> {
    return this.host.place.exec('docker', ['-H', SOCKET, ...args])
  }

  /** Starts the container {@link WEB}. It ends at once when it is told to. */
  async runWeb(): Promise<void> {
    const options = ['--detach', '--name', WEB, '--stop-signal', 'KILL']
    await this.docker('run', ...options, IMAGE, 'httpd', '-f', '-vv', '-h', '/www')
  }

  async addressOfWeb(): Promise<string> {
    return (await this.docker('inspect', '--format', '{{.NetworkSettings.IPAddress}}', WEB)).trim()
  }

  /** Runs a command in the container; its standard output, or what Docker says of its failure. */
  async inWeb(...command: readonly string[]): Promise<string> {
    return this.docker('exec', WEB, ...command).catch(String)
  }

  /** Addresses that have asked the container's web server for something, by its own log. */
  async visitors(): Promise<readonly string[]> {
    const { stdout, stderr } = await this.host.place.attempt('docker', ['-H', SOCKET, 'logs', WEB])
    return Array.from(`${stdout}${stderr}`.matchAll(/(\d+\.\d+\.\d+\.\d+)\]?:\d+: /g), ([, address = '']) => address)
  }

  /** SIGTERM: it ends its containers, and containerd, before itself. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    const ended = exitOf(child)
    child.kill('SIGTERM')
    await ended
  }
}
