import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Files for TLS between clients and etcd; with `clientAuth`, clients have to show a certificate of the same CA. */
export interface EtcdTls {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  readonly clientAuth?: boolean
}

/** Where one member runs. */
export interface EtcdPlace {
  readonly host: string
  readonly clientPort: number
  readonly peerPort: number
  /** Command that enters the place and then execs what follows, such as `['nsenter', '--net=/run/netns/etcd']`. */
  readonly spawn?: readonly string[]
}

export interface EtcdClusterOptions {
  /** One or three; default: one on loopback with free ports. See {@link loopbackPlaces}. */
  readonly places?: readonly EtcdPlace[]
  readonly tls?: EtcdTls
  /** Further flags of etcd. */
  readonly args?: readonly string[]
  /** How long start-up may take. */
  readonly startTimeoutMs?: number
}

/** An agent finds out within so long that its etcd is dead, however little is said between them: a promise of the documents. */
export const FOUND_DEAD_WITHIN_MS = 12_000

const run = promisify(execFile)

/** Ports nobody listens on at this moment. */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, host)
      await once(server, 'listening')
      return server
    }),
  )
  return servers.map((server) => {
    const address = server.address()
    server.close()
    if (address === null || typeof address === 'string') throw new Error('a TCP server without a port')
    return address.port
  })
}

/** Places for `count` members on loopback. */
export async function loopbackPlaces(count: number): Promise<readonly EtcdPlace[]> {
  const ports = await freePorts(2 * count)
  return Array.from({ length: count }, (_, at) => ({
    host: '127.0.0.1',
    clientPort: ports[2 * at] ?? 0,
    peerPort: ports[2 * at + 1] ?? 0,
  }))
}

/** What must not outlive this process, whatever ends it. */
const leftovers = new Set<() => void>()
process.on('exit', () => {
  for (const clean of leftovers) clean()
})

/** One etcd process that can be stopped, killed, frozen, emptied and started again at the same address. */
export class EtcdMember {
  readonly name: string
  readonly place: EtcdPlace
  /** Client URL. */
  readonly endpoint: string
  readonly dataDir: string
  readonly logFile: string
  /** URL for the other members. */
  readonly peerUrl: string
  private readonly args: readonly string[]
  private child: ChildProcess | undefined
  private frozen = false

  constructor(name: string, place: EtcdPlace, directory: string, scheme: string, args: readonly string[]) {
    this.name = name
    this.place = place
    this.endpoint = `${scheme}://${place.host}:${place.clientPort}`
    this.dataDir = join(directory, name)
    this.logFile = join(directory, `${name}.log`)
    this.peerUrl = `http://${place.host}:${place.peerPort}`
    this.args = args
  }

  get pid(): number | undefined {
    return this.child?.pid
  }
  get running(): boolean {
    return this.child !== undefined
  }
  /** Whether it runs and is not frozen. */
  get serving(): boolean {
    return this.running && !this.frozen
  }

  /** Starts the process without waiting for it to serve: see {@link EtcdCluster.ready}. */
  spawn(): void {
    const { peerUrl } = this
    const [command = 'etcd', ...rest] = [
      ...['setpriv', '--pdeathsig', 'KILL', '--'],
      ...(this.place.spawn ?? []),
      ...['etcd', '--name', this.name, '--data-dir', this.dataDir],
      ...['--listen-client-urls', this.endpoint, '--advertise-client-urls', this.endpoint],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...this.args,
    ]
    const log = openSync(this.logFile, 'a')
    const child = spawn(command, rest, { stdio: ['ignore', log, log] })
    closeSync(log)
    this.child = child
    const kill = (): unknown => child.kill('SIGKILL')
    leftovers.add(kill)
    const gone = (): void => {
      leftovers.delete(kill)
      if (this.child === child) this.child = undefined
    }
    child.once('exit', gone).once('error', gone)
  }

  /** Ends the process and waits for that: in an orderly way by default, at once with SIGKILL. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const { child } = this
    if (child === undefined) return
    const exited = once(child, 'exit')
    this.thaw()
    child.kill(signal)
    await exited
  }

  /** Stands still with its sockets open, as on a hanging disk or a paused machine. */
  freeze(): void {
    this.frozen = true
    this.child?.kill('SIGSTOP')
  }

  thaw(): void {
    this.frozen = false
    this.child?.kill('SIGCONT')
  }

  /** Removes the data of a stopped member: it will start as a new one. */
  wipe(): void {
    rmSync(this.dataDir, { recursive: true, force: true })
  }

  log(): string {
    return readFileSync(this.logFile, 'utf8')
  }
}

/** An etcd of one or three members in temporary directories. Gone with its data after {@link EtcdCluster.close}, or when this process ends. */
export class EtcdCluster {
  readonly members: readonly EtcdMember[]
  /** `name:password` that etcdctl is to use once authentication is on. */
  user: string | undefined
  private readonly tls: EtcdTls | undefined
  private readonly startTimeoutMs: number
  private readonly removeFiles: () => void
  private snapshots = 0

  private constructor(places: readonly EtcdPlace[], options: EtcdClusterOptions) {
    const directory = mkdtempSync(join(tmpdir(), 'flannel-etcd-'))
    this.removeFiles = () => {
      rmSync(directory, { recursive: true, force: true })
    }
    leftovers.add(this.removeFiles)
    this.tls = options.tls
    this.startTimeoutMs = options.startTimeoutMs ?? 20_000
    const peers = places.map(({ host, peerPort }, at) => `e${at}=http://${host}:${peerPort}`)
    const args = ['--initial-cluster', peers.join(','), ...tlsArgs(options.tls), ...(options.args ?? [])]
    const scheme = options.tls === undefined ? 'http' : 'https'
    this.members = places.map((place, at) => new EtcdMember(`e${at}`, place, directory, scheme, args))
  }

  /** @throws {Error} with the end of etcd's log when it does not serve in time */
  static async start(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
    const cluster = new EtcdCluster(options.places ?? (await loopbackPlaces(1)), options)
    for (const member of cluster.members) member.spawn()
    try {
      await cluster.ready()
    } catch (error) {
      await cluster.close()
      throw error
    }
    return cluster
  }

  get endpoints(): readonly string[] {
    return this.members.map(({ endpoint }) => endpoint)
  }
  /** The first member: the only one of a single-node cluster. */
  get member(): EtcdMember {
    const [first] = this.members
    if (first === undefined) throw new Error('a cluster without members')
    return first
  }

  /** Resolves once every running member answers linearizable reads. */
  async ready(): Promise<void> {
    const deadline = Date.now() + this.startTimeoutMs
    for (const member of this.members.filter(({ running }) => running)) {
      while (!(await this.answers(member))) {
        if (!member.running || Date.now() > deadline)
          throw new Error(`etcd ${member.name} does not serve:\n${member.log().slice(-2000)}`)
        await delay(30)
      }
    }
  }

  /** Starts whatever is not running and waits until it serves. */
  async restart(): Promise<void> {
    for (const member of this.members) if (!member.running) member.spawn()
    await this.ready()
  }

  /** Endpoints of the members that serve; all of them when none does. */
  get servingEndpoints(): readonly string[] {
    const serving = this.members.filter((member) => member.serving).map(({ endpoint }) => endpoint)
    return serving.length > 0 ? serving : this.endpoints
  }

  /** Saves all that etcd holds in a file, for {@link EtcdCluster.restore}; it goes with the cluster. */
  async snapshot(): Promise<string> {
    const file = join(dirname(this.member.dataDir), `snapshot-${this.snapshots++}.db`)
    await this.etcdctl(['snapshot', 'save', file], [this.member.endpoint])
    return file
  }

  /** Kills the only member and starts it again on what the snapshot holds, as the same cluster by its id. */
  async restore(snapshot: string): Promise<void> {
    const { member } = this
    await member.stop('SIGKILL')
    member.wipe()
    const urls = [
      `--initial-cluster=${member.name}=${member.peerUrl}`,
      `--initial-advertise-peer-urls=${member.peerUrl}`,
    ]
    await this.etcdctl(['snapshot', 'restore', snapshot, '--data-dir', member.dataDir, '--name', member.name, ...urls])
    await this.restart()
  }

  /** Makes this member the leader. */
  async lead(member: EtcdMember): Promise<void> {
    const leader = await this.leader()
    if (leader === member) return
    // "http://192.168.205.2:2379, 8e9e05c52164694d, 3.4.23, ...": as JSON the 64-bit id would lose its low bits
    const [, id = ''] = (await this.etcdctl(['endpoint', 'status'], [member.endpoint])).split(', ')
    await this.etcdctl(['move-leader', id], [leader.endpoint])
  }

  /**
   * Runs Debian's etcdctl against the members that serve, or the given endpoints, where the first member runs.
   * @returns its standard output
   */
  async etcdctl(args: readonly string[], endpoints: readonly string[] = this.servingEndpoints): Promise<string> {
    const user = this.user === undefined ? [] : ['--user', this.user]
    const [command = 'etcdctl', ...rest] = [...(this.member.place.spawn ?? []), 'etcdctl', ...user, ...args]
    const env = {
      ...process.env,
      ETCDCTL_API: '3',
      ETCDCTL_ENDPOINTS: endpoints.join(','),
      ...tlsEnvironment(this.tls),
    }
    const { stdout } = await run(command, rest, { env, maxBuffer: 64 << 20, timeout: 30_000 })
    return stdout
  }

  /** The member that leads at the moment. */
  async leader(): Promise<EtcdMember> {
    const statuses: unknown = JSON.parse(await this.etcdctl(['endpoint', 'status', '-w', 'json']))
    const leader = this.members.find(({ endpoint }) => leads(statuses, endpoint))
    if (leader === undefined) throw new Error('no member leads')
    return leader
  }

  /** Kills what runs and removes all data. */
  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop('SIGKILL')))
    this.removeFiles()
    leftovers.delete(this.removeFiles)
  }

  private async answers(member: EtcdMember): Promise<boolean> {
    if (!member.running) return false
    try {
      await this.etcdctl(['endpoint', 'health', '--command-timeout=2s'], [member.endpoint])
      return true
    } catch {
      return false
    }
  }
}

function tlsArgs(tls: EtcdTls | undefined): readonly string[] {
  if (tls === undefined) return []
  const own = ['--cert-file', tls.certFile, '--key-file', tls.keyFile]
  return tls.clientAuth === true ? [...own, '--client-cert-auth', '--trusted-ca-file', tls.caFile] : own
}

function tlsEnvironment(tls: EtcdTls | undefined): Record<string, string> {
  if (tls === undefined) return {}
  const ca = { ETCDCTL_CACERT: tls.caFile }
  return tls.clientAuth === true ? { ...ca, ETCDCTL_CERT: tls.certFile, ETCDCTL_KEY: tls.keyFile } : ca
}

interface EndpointStatus {
  readonly Endpoint: string
  readonly Status: { readonly header: { readonly member_id: number }; readonly leader: number }
}

/** Member ids have 64 bits and lose their low ones in JSON numbers, on both sides alike. */
function leads(statuses: unknown, endpoint: string): boolean {
  if (!Array.isArray(statuses)) return false
  return statuses.some(
    (status: EndpointStatus) => status.Endpoint === endpoint && status.Status.header.member_id === status.Status.leader,
  )
}
