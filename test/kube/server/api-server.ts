import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificates, type Certificates } from '../../lab/certificates.ts'
import { outcomeOf, outputOf, type Outcome } from '../../lab/command.ts'
import { freePorts } from '../../lab/etcd-process.ts'
import { objectAt, parseObject, textAt } from '../../lab/json.ts'
import { waitFor } from '../../lab/wait-for.ts'

export interface ApiServerOptions {
  /** Path of the program; see {@link kubePrograms}. */
  readonly program: string
  /** Where it keeps what it is told. */
  readonly etcd: readonly string[]
  /** Address to listen at; loopback by default. */
  readonly address?: string
  readonly port?: number
  /** Certificates for that address; made where there are none. */
  readonly certificates?: Certificates
  /** Further flags. */
  readonly args?: readonly string[]
}

/** The service account that is allowed everything: the only one there is a fixed token for. */
const ADMIN = 'system:masters'
/** Started for the first time, it makes its roles; on a loaded machine that takes its time. */
const READY_WITHIN_MS = 90_000

/** What must not outlive this process, whatever ends it. */
const leftovers = new Set<() => void>()
process.on('exit', () => {
  for (const clean of leftovers) clean()
})

/**
 * A kube-apiserver on an etcd, as its authors release it: TLS, RBAC, admission with Pod Security. Certificates, keys and tokens are made for it, and
 * go with it. It has no controllers and no scheduler: Nodes and their podCIDRs are whose test it is.
 */
export class ApiServer {
  readonly url: string
  readonly caFile: string
  /** Of who may do everything. */
  readonly adminToken = randomBytes(16).toString('hex')
  readonly #folder: string
  readonly #certificates: Certificates
  readonly #line: readonly string[]
  readonly #removeFiles: () => void
  /** A kubeconfig of who may do everything. */
  readonly adminConfig: string
  #child: ChildProcess | undefined

  private constructor(options: ApiServerOptions, port: number) {
    const { address = '127.0.0.1' } = options
    this.#folder = mkdtempSync(join(tmpdir(), 'kube-apiserver-'))
    this.#certificates = options.certificates ?? makeCertificates([address])
    this.url = `https://${address}:${port}`
    this.caFile = this.#certificates.caFile
    this.#removeFiles = () => {
      rmSync(this.#folder, { recursive: true, force: true })
      if (options.certificates === undefined) this.#certificates.remove()
    }
    leftovers.add(this.#removeFiles)
    this.#line = [options.program, ...this.#flags({ ...options, address, port })]
    this.adminConfig = this.kubeconfig(this.adminToken)
  }

  /** @throws {Error} with the end of its log when it is not ready in time */
  static async start(options: ApiServerOptions): Promise<ApiServer> {
    const [free = 0] = options.port === undefined ? await freePorts(1, options.address) : [options.port]
    const server = new ApiServer(options, free)
    server.spawn()
    try {
      await server.ready()
    } catch (error) {
      await server.close()
      throw error
    }
    return server
  }

  #flags({ etcd, address, port, args = [] }: ApiServerOptions): readonly string[] {
    const [tokens, key] = [join(this.#folder, 'tokens.csv'), join(this.#folder, 'accounts.key')]
    writeFileSync(tokens, `${this.adminToken},admin,admin,"${ADMIN}"\n`, { mode: 0o600 })
    execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key], { stdio: 'pipe' })
    const { certFile, keyFile } = this.#certificates
    return [
      ...[`--etcd-servers=${etcd.join(',')}`, `--etcd-prefix=/registry-${port}`],
      ...[`--bind-address=${address}`, `--advertise-address=${address}`, `--secure-port=${port}`],
      ...[`--tls-cert-file=${certFile}`, `--tls-private-key-file=${keyFile}`, `--cert-dir=${this.#folder}`],
      ...[`--service-account-key-file=${key}`, `--service-account-signing-key-file=${key}`],
      ...['--service-account-issuer=https://kubernetes.default.svc', '--service-cluster-ip-range=10.96.0.0/16'],
      ...[`--token-auth-file=${tokens}`, '--authorization-mode=RBAC', '--endpoint-reconciler-type=none'],
      ...['--allow-privileged=true', '--profiling=false', ...args],
    ]
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Starts the process without waiting for it to serve: see {@link ready}. */
  spawn(): void {
    const log = openSync(this.logFile, 'a')
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...this.#line], { stdio: ['ignore', log, log] })
    closeSync(log)
    this.#child = child
    const kill = (): unknown => child.kill('SIGKILL')
    leftovers.add(kill)
    const gone = (): void => {
      leftovers.delete(kill)
      if (this.#child === child) this.#child = undefined
    }
    child.once('exit', gone).once('error', gone)
  }

  /** Resolves once it has everything that it starts with, its own roles among it. */
  async ready(): Promise<void> {
    try {
      const state = await waitFor('the API server', () => this.#state(), { deadlineMs: READY_WITHIN_MS })
      if (state === 'ended') throw new Error('it has ended')
    } catch (error) {
      throw new Error(`the API server does not serve:\n${this.log().slice(-3000)}`, { cause: error })
    }
  }

  async #state(): Promise<'ready' | 'ended' | undefined> {
    if (this.#child === undefined) return 'ended'
    return (await this.attempt(['get', '--raw=/readyz'])).code === 0 ? 'ready' : undefined
  }

  /** Ends it as a crash would; what it keeps is in etcd. */
  async stop(): Promise<void> {
    if (this.#child === undefined) return
    const exited = once(this.#child, 'exit')
    this.thaw()
    this.#child.kill('SIGKILL')
    await exited
  }

  /** Stands still with its sockets open. */
  freeze(): void {
    this.#child?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child?.kill('SIGCONT')
  }

  get logFile(): string {
    return join(this.#folder, 'log')
  }

  log(): string {
    return readFileSync(this.logFile, 'utf8')
  }

  /** Writes a kubeconfig for whoever has this token. @returns its path */
  kubeconfig(token: string): string {
    const path = join(this.#folder, `kubeconfig-${randomBytes(4).toString('hex')}`)
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'lab', cluster: { server: this.url, 'certificate-authority': this.caFile } }],
      users: [{ name: 'user', user: { token } }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'user' } }],
      'current-context': 'lab',
    }
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 })
    return path
  }

  /** Whatever came of `kubectl ARGS`, by whoever may do everything, or has this token. */
  attempt(args: readonly string[], input?: string, token?: string): Promise<Outcome> {
    return outcomeOf(this.kubectlCall(args, token), input === undefined ? {} : { input })
  }

  /** Standard output of `kubectl ARGS`. */
  kubectl(args: readonly string[], input?: string): Promise<string> {
    return outputOf(this.kubectlCall(args), input === undefined ? {} : { input })
  }

  /** `kubectl ARGS` as a command line, which writes nothing into the folder of whoever calls it. */
  kubectlCall(args: readonly string[] = [], token?: string): readonly [string, ...string[]] {
    const config = token === undefined ? this.adminConfig : this.kubeconfig(token)
    return ['kubectl', `--kubeconfig=${config}`, `--cache-dir=${join(this.#folder, 'cache')}`, ...args]
  }

  /** A token of a service account that there is, as its pods are given one (TokenRequest, authentication.k8s.io/v1). */
  async tokenOf(namespace: string, account: string): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`
    const asked = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }
    const answer = parseObject(await this.kubectl(['create', `--raw=${path}`, '-f', '-'], JSON.stringify(asked)))
    return textAt(objectAt(answer, 'status'), 'token') ?? ''
  }

  /** Makes a Node, as a kubelet that joins and the controller that gives it its podCIDRs do. */
  async addNode(
    name: string,
    podCidrs: readonly string[],
    annotations: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const [podCIDR] = podCidrs
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, annotations },
      spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs: podCidrs },
    }
    await this.kubectl(['create', '-f', '-'], JSON.stringify(node))
  }

  /** Kills it, and removes its files; what it keeps goes with etcd. */
  async close(): Promise<void> {
    await this.stop()
    this.#removeFiles()
    leftovers.delete(this.#removeFiles)
  }
}
