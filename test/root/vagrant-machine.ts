import { join } from 'node:path'
import { type Outcome } from '../lab/command.ts'
import { parseObject, type JsonObject } from '../lab/json.ts'
import { ping, type PingResult } from '../lab/ping.ts'
import { Place, waitFor, type LabHost } from '../lab/index.ts'
import { CleanMachine } from './clean-machine.ts'
import { MAKE_BUSYBOX_ROOT } from './busybox-root.ts'

const ROOT = join(import.meta.dirname, '../..')
const PREFIX = '/coreos.com/network'
const CONTAINER = 'web'
const SETUP_MS = 300_000

export const ALL_PINGS: PingResult = { sent: 3, received: 3 }

/** The interface that Vagrant gives every machine besides: the same address on each, and the default route. */
const NAT_DEVICE = '[NetDev]\nName=nat0\nKind=veth\n[Peer]\nName=nat1\n'
const NAT_NETWORK = '[Match]\nName=nat0\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n'
const privateNetwork = (address: string): string => `[Match]\nName=eth0\n[Network]\nAddress=${address}/24\n`
const NAT_PEER = '[Match]\nName=nat1\n[Network]\nLinkLocalAddressing=no\n'

/** What a registry would give: busybox in an image of that name. */
const MAKE_IMAGE = `set -e
root=$(mktemp -d)
${MAKE_BUSYBOX_ROOT}
ln -s busybox "$root/bin/nc"
tar -C "$root" -c . | docker import - busybox`

/** A clean machine with what Vagrant gives to those of our Vagrantfile: the checkout at /vagrant, and an interface too many. */
export class VagrantMachine extends CleanMachine {
  readonly #master: string

  /** @param master address of the first machine */
  constructor(host: LabHost, folder: string, master: string) {
    super(host, folder)
    this.#master = master
  }

  async prepare(): Promise<void> {
    await this.boot()
    await this.configure('systemd/network/10-eth0.network', privateNetwork(this.host.address))
    await this.configure('systemd/network/20-nat.netdev', NAT_DEVICE)
    await this.configure('systemd/network/20-nat0.network', NAT_NETWORK)
    await this.configure('systemd/network/20-nat1.network', NAT_PEER)
    await this.reboot()
    await waitFor('the default route', async () => /^default via 10\.0\.2\.2 dev nat0/.test(await this.#routes()))
    for (const name of ['vagrant', 'packaging']) await this.copyIn(`/vagrant/${name}`, join(ROOT, name))
  }

  /** What `npm run build` leaves in the checkout. */
  async copyExecutable(): Promise<void> {
    await this.copyIn('/vagrant/dist/flanneld', join(ROOT, 'dist/flanneld'))
  }

  /** What `npm run package` leaves there. */
  async copyPackage(path: string): Promise<void> {
    const architecture = (await this.place.exec('dpkg', ['--print-architecture'])).trim()
    await this.copyIn(`/vagrant/dist/packages/flannel-agent_0.1.0-1_${architecture}.deb`, path)
  }

  #routes(): Promise<string> {
    return this.place.exec('ip', ['route', 'show', 'default'])
  }

  /** Runs the script as the Vagrantfile does. */
  setUp(role: 'master' | 'slave', variables: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    const all = { MASTER_IP: this.#master, WAIT: '120', ...variables }
    const words = Object.entries(all).map(([name, value]) => `${name}=${value}`)
    return this.place.attempt('env', [...words, 'bash', '/vagrant/vagrant/setup.sh', role], { timeoutMs: SETUP_MS })
  }

  /** Lets some program listen at a port. Its name and process id are those that the machine knows it by. */
  async occupy(port: number): Promise<{ readonly name: string; readonly pid: string; free: () => Promise<string> }> {
    await this.place.exec('systemd-run', ['--quiet', '--unit=occupant', 'nc', '-l', '-k', '127.0.0.1', `${port}`])
    const listening = async (): Promise<RegExpExecArray | null> =>
      /"([^"]+)",pid=(\d+)/.exec(await this.place.exec('ss', ['-Hltnp', `sport = :${port}`]))
    const [, name = '', pid = ''] = await waitFor('the port to be taken', listening)
    return { name, pid, free: () => this.systemctl('stop', 'occupant') }
  }

  /** The file that the running agent was started from. */
  async program(): Promise<string> {
    return (await this.place.exec('readlink', [`/proc/${await this.show('flanneld.service', 'MainPID')}/exe`])).trim()
  }

  async isInstalled(name: string): Promise<boolean> {
    return (await this.place.attempt('dpkg-query', ['-W', name])).code === 0
  }

  /** Of docker0, with its length; empty when there is none. */
  async bridgeAddress(): Promise<string> {
    const { stdout } = await this.place.attempt('ip', ['-4', '-o', 'address', 'show', 'dev', 'docker0'])
    return / inet (\S+)/.exec(stdout)?.[1] ?? ''
  }

  #etcdctl(...args: readonly string[]): Promise<string> {
    return this.place.exec('env', ['ETCDCTL_API=3', 'etcdctl', `--endpoints=http://${this.#master}:2379`, ...args])
  }

  /** The network configuration in etcd. */
  async config(): Promise<JsonObject> {
    return parseObject(await this.#etcdctl('get', '--print-value-only', `${PREFIX}/config`))
  }

  async putConfig(config: object): Promise<void> {
    await this.#etcdctl('put', `${PREFIX}/config`, JSON.stringify(config))
  }

  /** The value of the lease on the subnet that the subnet file has. */
  async ownLease(): Promise<JsonObject> {
    const { subnet } = await this.host.ready()
    return parseObject(
      await this.#etcdctl('get', '--print-value-only', `${PREFIX}/subnets/${subnet.text.replace('/', '-')}`),
    )
  }

  /** What a run that changes nothing leaves as it is: every file below /etc, the services' processes, what etcd has. */
  async state(): Promise<readonly string[]> {
    const files = await this.place.exec('find', ['/etc', '/lib/systemd', '-type', 'f', '-printf', '%p %T@ %s\\n'])
    const services = ['etcd', 'flanneld', 'docker', 'containerd']
    const processes = services.map(async (unit) => `${unit} ${await this.show(`${unit}.service`, 'MainPID')}`)
    const stored = await this.#etcdctl('get', '--prefix', '--write-out=json', PREFIX)
    const versions = Array.from(stored.matchAll(/"mod_revision":\d+/g), ([text]) => text)
    return [...files.trim().split('\n').sort(), ...(await Promise.all(processes)), ...versions]
  }

  /** Starts a container that comes back when Docker does. */
  async runContainer(): Promise<void> {
    await this.install('busybox-static')
    await this.place.exec('sh', ['-c', MAKE_IMAGE])
    const options = [
      '--detach',
      '--restart=always',
      '--stop-signal=KILL',
      '--name',
      CONTAINER,
      '--hostname',
      this.host.name,
    ]
    await this.#docker('run', ...options, 'busybox', '/bin/sleep', '86400')
  }

  #docker(...args: readonly string[]): Promise<string> {
    return this.place.exec('docker', args, { timeoutMs: 60_000 })
  }

  async isContainerUp(): Promise<boolean> {
    const { stdout } = await this.place.attempt('docker', ['inspect', '--format', '{{.State.Running}}', CONTAINER])
    return stdout.trim() === 'true'
  }

  async addressOfContainer(): Promise<string> {
    return (await this.#docker('inspect', '--format', '{{.NetworkSettings.IPAddress}}', CONTAINER)).trim()
  }

  /** With the machine's own ping, in the container's network. */
  async pingFromContainer(to: string): Promise<PingResult> {
    const pid = (await this.#docker('inspect', '--format', '{{.State.Pid}}', CONTAINER)).trim()
    return ping(new Place(this.place.line('nsenter', [`--target=${pid}`, '--net', '--'])), to)
  }

  /** Both ways over one connection of `nc`, from our container to that of `other`, as in the walkthrough. */
  async talkTo(other: VagrantMachine): Promise<{ readonly heard: string; readonly answered: string }> {
    const answer = `echo from ${other.host.name} | nc -l -p 8000`
    const hearing = other.#docker('exec', CONTAINER, 'sh', '-c', answer)
    const address = await other.addressOfContainer()
    const call = `until echo from ${this.host.name} | nc -w 3 ${address} 8000; do sleep 0.1; done`
    const answered = await this.#docker('exec', CONTAINER, 'sh', '-c', call)
    return { heard: (await hearing).trim(), answered: answered.trim() }
  }
}
