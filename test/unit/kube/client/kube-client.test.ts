import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import dns from 'node:dns'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { ConfigError } from '../../../../src/config/error.ts'
import { AskedServer } from '../../../../src/commands/stores/kube.ts'
import { AgentCounts } from '../../../../src/counts/agent-counts.ts'
import { systemClock } from '../../../../src/host/system-clock.ts'
import { CredentialFiles, type CredentialSource } from '../../../../src/kube/client/credentials.ts'
import { unanswered } from '../../../../src/kube/client/errors.ts'
import { KubeClient } from '../../../../src/kube/client/kube-client.ts'
import { KubeNodeStore } from '../../../../src/kube/kube-node-store.ts'
import { openKube } from '../../../../src/kube/open-kube.ts'
import { StoreError } from '../../../../src/lease/store.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { FakeApiServer, type FakeApiServerOptions } from '../../../fake/kube/fake-api-server.ts'
import { waitFor } from '../../../lab/wait-for.ts'
import { makeCertificates, type Certificates } from '../../../lab/certificates.ts'

let certificates: Certificates
let folder: string
const open: (() => Promise<void>)[] = []

beforeAll(() => {
  certificates = makeCertificates()
  folder = mkdtempSync(join(tmpdir(), 'flannel-kube-'))
})
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})
afterAll(() => {
  certificates.remove()
  rmSync(folder, { recursive: true })
})

const signal = new AbortController().signal

async function serve(options: FakeApiServerOptions = {}): Promise<FakeApiServer> {
  const api = await new FakeApiServer(options).start()
  open.push(() => api.stop())
  api.nodes.put('own', { podCIDRs: ['10.244.1.0/24'] })
  return api
}

const tls = (): NonNullable<FakeApiServerOptions['tls']> => ({
  key: readFileSync(certificates.keyFile),
  cert: readFileSync(certificates.certFile),
})

const write = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

function connect(source: Partial<CredentialSource>, idleMs = 5_000): KubeNodeStore {
  const credentials = new CredentialFiles({ access: {}, environment: {}, clock: systemClock, ...source })
  const client = new KubeClient({ clock: systemClock, credentials, idleMs })
  const store = new KubeNodeStore({ client, clock: systemClock, random: () => 0, annotationPrefix: 'f/' })
  open.push(() => {
    store.close()
    return Promise.resolve()
  })
  return store
}

/** A kubeconfig for a server. */
const configFor = (url: string, user: object, caFile = certificates.caFile): string =>
  write(
    'kubeconfig',
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: url, 'certificate-authority': caFile } }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  )

const podAt = (api: FakeApiServer): CredentialSource['environment'] => {
  const { hostname, port } = new URL(api.url)
  return { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port }
}

const failureOf = async (asked: Promise<unknown>): Promise<StoreError> => {
  const error: unknown = await asked.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  if (!(error instanceof StoreError)) throw new Error('no StoreError', { cause: error })
  return error
}

describe('credentials', () => {
  it('of a service account: its token over TLS, and the one that replaces it', async () => {
    const api = await serve({ tls: tls(), tokens: ['first'] })
    write('ca.crt', readFileSync(certificates.caFile, 'utf8'))
    write('token', 'first\n')
    const store = connect({ environment: podAt(api), serviceAccount: folder })
    expect((await store.list(signal)).nodes).toHaveLength(1)
    api.tokens = ['second']
    write('token', 'second\n')
    expect((await store.list(signal)).nodes).toHaveLength(1)
    expect(api.requests.map(({ authorization }) => authorization)).toEqual([
      'Bearer first',
      'Bearer first',
      'Bearer second',
    ])
    api.tokens = ['third']
    const { code, retryable, message } = await failureOf(store.list(signal))
    expect([code, retryable]).toEqual(['UNAUTHENTICATED', true])
    expect(message).toContain('one that is replaced is taken up')
    expect(message).not.toContain('second')
    write('token', 'third\n')
    expect((await store.list(signal)).nodes).toHaveLength(1)
  })

  it('of a kubeconfig: a client certificate, or a token in a file beside it', async () => {
    const api = await serve({ tls: { ...tls(), ca: readFileSync(certificates.caFile) }, tokens: ['t'] })
    write('beside', 't')
    const user = {
      tokenFile: 'beside',
      'client-certificate': certificates.certFile,
      'client-key': certificates.keyFile,
    }
    expect((await connect({ access: { kubeconfigFile: configFor(api.url, user) } }).list(signal)).nodes).toHaveLength(1)
  })

  it('are waited for while their files are not there, and refused where they say nothing', async () => {
    const api = await serve({ tokens: ['t'] })
    const path = join(folder, 'later')
    const store = connect({ access: { kubeconfigFile: path } })
    expect(await failureOf(store.list(signal))).toMatchObject({ code: 'UNAVAILABLE', root: 'ENOENT' })
    expect(() => connect({})).toThrow(ConfigError)
    expect(() => connect({})).toThrow('KUBERNETES_SERVICE_HOST')
    expect(() => connect({ access: { kubeconfigFile: write('broken', 'a: b: c') } })).toThrow(ConfigError)
    expect(() => connect({ access: { apiUrl: 'ftp://a' } })).toThrow('URL of the API server')
    expect(api.requests).toEqual([])
  })

  it('name the clock where a certificate is over, and the authority where it is another', async () => {
    const expired = { ...tls(), cert: readFileSync(certificates.expiredCertFile) }
    const late = await serve({ tls: expired })
    const error = await failureOf(connect({ access: { kubeconfigFile: configFor(late.url, {}) } }).list(signal))
    expect(error).toMatchObject({ code: 'UNAVAILABLE', root: 'CERT_HAS_EXPIRED' })
    expect(error.message).toContain("is this host's clock right?")
    const api = await serve({ tls: tls() })
    const other = configFor(api.url, {}, certificates.otherCaFile)
    expect((await failureOf(connect({ access: { kubeconfigFile: other } }).list(signal))).message).toContain(
      'another authority',
    )
  })

  it('name what is to hold the authority, and holds no certificate; good ones stay in use', async () => {
    const api = await serve({ tls: tls() })
    const junk = '-----BEGIN CERTIFICATE-----\nanVuaw==\n-----END CERTIFICATE-----\n'
    const caFile = write('authority', junk)
    const access = { kubeconfigFile: configFor(api.url, {}, caFile) }
    const named = `${caFile}: expected certificates of authorities, as PEM, found "no certificate in ${junk.length} bytes"`
    expect(() => connect({ access })).toThrow(ConfigError)
    expect(() => connect({ access })).toThrow(named)
    write('authority', readFileSync(certificates.caFile, 'utf8'))
    const credentials = new CredentialFiles({ access, environment: {}, clock: systemClock })
    write('authority', '')
    expect(credentials.look()).toBe(false)
    expect(credentials.problem).toContain('cannot be read (it is empty)')
    expect(credentials.get().authorities).toEqual(readFileSync(certificates.caFile))
  })

  it('are judged in our own words, and not with advice on how to run Node', () => {
    const advice =
      'unable to get issuer certificate; if the root CA is installed locally, try running Node.js with --use-system-ca'
    const cause = Object.assign(new Error(advice), { code: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' })
    expect(unanswered({ op: 'our Node' }, 'https://a', cause).message).toBe(
      'our Node at https://a: unable to get issuer certificate (signed by another authority than the one we trust)',
    )
  })

  it('says that an API server without TLS is none', () => {
    const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    const of = (url: string): string => unanswered({ op: 'our Node' }, url, cause).message
    expect(of('http://a')).toBe(
      'our Node at http://a: read ECONNRESET (API servers speak TLS: https:// in the place of http://?)',
    )
    expect(of('https://a')).toBe('our Node at https://a: read ECONNRESET')
  })
})

describe('an API server', () => {
  it('that refuses is quoted, with the rule that is missing', async () => {
    const api = await serve()
    const store = connect({ access: { apiUrl: api.url } })
    api.faults = { refuse: { status: 403 } }
    const refusals = [
      await failureOf(store.list(signal)),
      await failureOf(store.read('own', signal)),
      await failureOf(store.patch('own', {}, signal)),
      await failureOf(store.nodeOfPod('a', 'b', signal)),
    ]
    expect(refusals.map(({ code, retryable }) => [code, retryable])).toEqual(
      Array(4).fill(['PERMISSION_DENIED', false]),
    )
    const cures = refusals.map(({ message }) => /a fault of this test\. Cure: .*(resources: .*)$/.exec(message)?.[1])
    expect(cures).toEqual([
      'resources: [nodes], verbs: [list]',
      'resources: [nodes], verbs: [get]',
      'resources: [nodes/status], verbs: [patch]',
      'resources: [pods], verbs: [get]',
    ])
  })

  it('that says no is repeated in its own words, for the status as well', async () => {
    const api = await serve({ tokens: ['t'] })
    const asked = new AskedServer(systemClock, new AgentCounts().store)
    const access = { apiUrl: api.url, annotationPrefix: 'f/', netConfigPath: '/nowhere', setsNetworkAvailable: false }
    const store = openKube(access, { clock: systemClock, random: () => 0, environment: {}, counts: asked })
    open.push(() => {
      store.close()
      return Promise.resolve()
    })
    const said = (): string | undefined => asked.endpoint(api.url).lastError?.message
    await failureOf(store.list(signal))
    expect(asked.endpoint(api.url)).toMatchObject({ isUp: true, latencyMs: undefined })
    expect(said()).toMatch(/^list of Nodes at http:\S+: HTTP 401 Unauthorized\. Cure: a token or client certificate/)
    api.tokens = undefined
    api.faults = { refuse: { status: 403 } }
    await failureOf(store.list(signal))
    expect(said()).toMatch(
      /^list of Nodes at http:\S+: HTTP 403 Forbidden: User .* a fault of this test\. Cure: the ClusterRole/,
    )
    api.faults = { refuse: { status: 503 } }
    expect((await failureOf(store.list(signal))).message).toMatch(/HTTP 503 ServiceUnavailable: a fault of this test$/)
    expect(asked.endpoint(api.url).isUp).toBe(false)
  })

  it('is asked which rights of an agent are missing', async () => {
    const api = await serve()
    const store = connect({ access: { apiUrl: api.url } })
    expect(await store.missingRights(signal)).toEqual([])
    for (const right of ['watch nodes', 'patch nodes/status']) api.withheld.add(right)
    expect(await store.missingRights(signal)).toEqual([
      { verb: 'watch', resource: 'nodes' },
      { verb: 'patch', resource: 'nodes/status' },
    ])
  })

  it('is known to answer, to refuse or to be away since then', async () => {
    const clock = new FakeClock()
    const { store: counts } = new AgentCounts()
    const asked = new AskedServer(clock, counts)
    const passed = async (ms: number): Promise<number> => {
      await clock.advance(ms)
      return clock.monotonicMs()
    }
    asked.answered(1)
    expect(counts.changedMs).toBeUndefined()
    const refusedAtMs = await passed(5_000)
    asked.failed({ code: 'NOT_FOUND', message: 'HTTP 404', root: '404' })
    await passed(5_000)
    asked.failed({ code: 'PERMISSION_DENIED', message: 'HTTP 403', root: '403' })
    expect(counts.changedMs).toBe(refusedAtMs)
    const awayAtMs = await passed(5_000)
    asked.failed({ code: 'UNAVAILABLE', message: 'reset', root: 'ECONNRESET' })
    expect(counts.changedMs).toBe(awayAtMs)
    const backAtMs = await passed(5_000)
    asked.answered(1)
    expect(counts.changedMs).toBe(backAtMs)
  })

  it('that asks for a pause is given it, by all requests', async () => {
    const api = await serve()
    const store = connect({ access: { apiUrl: api.url } })
    api.faults = { refuse: { status: 429, retryAfterSeconds: 1, onlyVerb: 'list' } }
    const beganMs = performance.now()
    const listed = store.list(signal)
    while (api.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
    api.faults = {}
    await listed
    expect(performance.now() - beganMs).toBeGreaterThan(900)
    expect(api.requests).toHaveLength(2)
  })

  it.each([
    [500, 'INTERNAL', true],
    [503, 'UNAVAILABLE', true],
    [422, 'INVALID_ARGUMENT', false],
  ])('that answers %i fails as %s', async (status, code, retryable) => {
    const api = await serve()
    api.faults = { refuse: { status } }
    expect(await failureOf(connect({ access: { apiUrl: api.url } }).list(signal))).toMatchObject({ code, retryable })
  })

  it('that takes requests and never answers is given up, and asked anew on another connection', async () => {
    const api = await serve()
    const store = connect({ access: { apiUrl: api.url } }, 300)
    const answers = (): Promise<boolean> => store.list(signal).then(({ nodes }) => nodes.length === 1)
    await waitFor('an answer', answers)
    api.faults = { hangs: true }
    expect(await failureOf(store.list(signal))).toMatchObject({ code: 'DEADLINE_EXCEEDED', retryable: true })
    api.faults = {}
    await waitFor('an answer', answers)
  })

  it('that was started again is asked again, though connections of before were left open', async () => {
    const api = await serve()
    const store = connect({ access: { apiUrl: api.url } })
    await store.list(signal)
    await api.stop()
    expect(await failureOf(store.list(signal))).toMatchObject({ code: 'UNAVAILABLE', root: 'ECONNREFUSED' })
    await api.start()
    expect((await store.list(signal)).nodes).toHaveLength(1)
  })

  it('that writes Nodes in another order is asked again, and understood', async () => {
    const item = { status: {}, spec: { podCIDRs: ['10.244.1.0/24'] }, metadata: { name: 'own' } }
    let requests = 0
    const server = createServer((_, response) => {
      requests++
      response.end(JSON.stringify({ items: [item, item], metadata: { resourceVersion: '7' } }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    open.push(
      () =>
        new Promise((resolve) =>
          server.close(() => {
            resolve()
          }),
        ),
    )
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const { nodes, resourceVersion } = await connect({ access: { apiUrl: `http://127.0.0.1:${port}` } }).list(signal)
    expect([nodes.map(({ podCidrs }) => podCidrs), resourceVersion, requests]).toEqual([
      [['10.244.1.0/24'], ['10.244.1.0/24']],
      '7',
      2,
    ])
  })

  it('that is none is said to be none', async () => {
    const api = await serve()
    const store = connect({ access: { apiUrl: `${api.url}/elsewhere` } })
    const error = await failureOf(store.list(signal))
    expect(error).toMatchObject({ code: 'UNAVAILABLE', retryable: true, root: '404' })
    expect(error.message).toContain('Cure: the URL of an API server itself')
  })

  it('that knows no such path does not say that our Node is gone', async () => {
    const api = await serve()
    const store = connect({ access: { apiUrl: api.url } })
    expect(await store.read('nobody', signal)).toBeUndefined()
    // what stands before API servers says so while none serves, and API servers that are about to serve do
    for (const message of ['default backend - 404', 'the server could not find the requested resource']) {
      api.faults = { refuse: { status: 404, message } }
      expect(await failureOf(store.read('own', signal))).toMatchObject({ code: 'UNAVAILABLE', root: '404' })
      expect(await failureOf(store.patch('own', {}, signal))).toMatchObject({ code: 'UNAVAILABLE', root: '404' })
    }
    api.faults = { refuse: { status: 302 } }
    expect((await failureOf(store.read('own', signal))).message).toContain('HTTP 302')
  })

  it('that forbids what no right allows is not answered with rights', async () => {
    const api = await serve()
    const store = connect({ access: { apiUrl: api.url } })
    const webhook = 'admission webhook "nodes.example.com" denied the request: annotations are kept'
    api.faults = { refuse: { status: 403, message: webhook } }
    const { code, message } = await failureOf(store.patch('own', {}, signal))
    expect(code).toBe('PERMISSION_DENIED')
    expect(message).toContain(`${webhook}. Cure: no right is missing`)
    expect(message).not.toContain('ClusterRole')
  })

  it('that takes us for anybody was sent no credentials', async () => {
    const api = await serve()
    const words = 'nodes is forbidden: User "system:anonymous" cannot list resource "nodes" in API group ""'
    api.faults = { refuse: { status: 403, message: words } }
    const { code, message } = await failureOf(connect({ access: { apiUrl: api.url } }).list(signal))
    expect(code).toBe('UNAUTHENTICATED')
    expect(message).toContain('Cure: a token or client certificate')
  })

  it('whose name takes long to be looked up is reached, as where the first of two name servers is dead', async () => {
    const api = await serve()
    const { port } = new URL(api.url)
    const lookup = vi.spyOn(dns, 'lookup').mockImplementation((...given: readonly unknown[]) => {
      const found = given.at(-1)
      if (typeof found !== 'function') throw new TypeError('nobody waits')
      setTimeout(() => {
        Reflect.apply(found, undefined, [null, [{ address: '127.0.0.1', family: 4 }]])
      }, 300)
    })
    const access = { apiUrl: `http://api.example:${port}` }
    const client = new KubeClient({
      ...{ clock: systemClock, connectMs: 100, idleMs: 5_000 },
      credentials: new CredentialFiles({ access, environment: {}, clock: systemClock }),
    })
    try {
      const asked = client.ask(
        { op: 'x', verb: 'list', resource: 'nodes' },
        { method: 'GET', path: '/api/v1/nodes' },
        signal,
      )
      await expect(asked).resolves.toMatchObject({ kind: 'NodeList' })
    } finally {
      lookup.mockRestore()
      client.close()
    }
  })

  it('that nobody reaches is said with all addresses of its name, and with a proxy that is not followed', async () => {
    const refusedAt = (at: string): Error =>
      Object.assign(new Error(`connect ECONNREFUSED ${at}`), { code: 'ECONNREFUSED' })
    const all = Object.assign(new AggregateError([refusedAt('::1:1'), refusedAt('127.0.0.1:1')]), {
      code: 'ECONNREFUSED',
    })
    expect(unanswered({ op: 'our Node' }, 'https://localhost:1', all).message).toBe(
      'our Node at https://localhost:1: connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127.0.0.1:1',
    )
    const api = await serve()
    await api.stop()
    const environment = { HTTP_PROXY: 'http://proxy:3128', HTTPS_PROXY: '', https_proxy: 'http://proxy:3128' }
    const said = async (apiUrl: string): Promise<string> =>
      (await failureOf(connect({ access: { apiUrl }, environment }).list(signal))).message
    expect(await said(api.url)).toMatch(/ECONNREFUSED \S+ \(HTTP_PROXY is set, and not followed/)
    expect(await said(api.url.replace('http:', 'https:'))).toMatch(/\(https_proxy is set, and not followed/)
    await api.start()
    expect((await connect({ access: { apiUrl: api.url }, environment }).list(signal)).nodes).toHaveLength(1)
  })
})
