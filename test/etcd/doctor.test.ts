import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as httpServer } from 'node:http'
import { createSecureServer as secureHttp2 } from 'node:http2'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'

import type { EtcdAccess } from '../../src/config/options.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { storeReads } from '../../src/doctor/read/store.ts'
import { STORE_CHECKS } from '../../src/doctor/store/checks.ts'
import { fakeView } from '../fake/fake-view.ts'
import { makeCertificates, type Certificates } from '../lab/certificates.ts'
import { EtcdCluster, freePorts } from '../lab/etcd-process.ts'
import { openStore, PREFIX } from './etcd-harness.ts'

const { signal } = new AbortController()
const NODE = 'doctor-node'
const CONFIG = '{"Network":"10.15.0.0/16","SubnetLen":24}'

let files: Certificates
let plain: EtcdCluster
let tls: EtcdCluster
let guarded: EtcdCluster

beforeAll(async () => {
  files = makeCertificates()
  ;[plain, tls, guarded] = await Promise.all([
    EtcdCluster.start(),
    EtcdCluster.start({ tls: { ...files, clientAuth: true } }),
    EtcdCluster.start({ args: ['--bcrypt-cost', '4'] }),
  ])
  await Promise.all([plain, tls].map((one) => one.etcdctl(['put', `${PREFIX}/config`, CONFIG])))
  await guarded.etcdctl(['put', `${PREFIX}/config`, CONFIG])
  for (const command of [
    'user add root:rootpw',
    'user grant-role root root',
    ...['role add reader', `role grant-permission reader --prefix=true read ${PREFIX}/`],
    ...['role add leases', `role grant-permission leases --prefix=true readwrite ${PREFIX}/subnets/`],
    ...['user add reader:pw', 'user grant-role reader reader', 'user add stranger:pw'],
    ...['user add half:pw', 'user grant-role half reader', 'user grant-role half leases'],
    'auth enable',
  ])
    await guarded.etcdctl(command.split(' '))
  guarded.user = 'root:rootpw'
})
afterAll(async () => {
  await Promise.all([plain, tls, guarded].map((one) => one.close()))
  files.remove()
})

/** What doctor finds of etcd on a host whose agent does not answer. */
async function found(options: Partial<EtcdAccess>): Promise<readonly Finding[]> {
  const store = storeReads({
    ...{
      etcd: { endpoints: [], prefix: PREFIX, ...options },
      signal,
      wallMs: Date.now,
      from: 'the test',
      isDefault: false,
    },
    open: (etcd) => Promise.resolve(openStore(etcd, { callTimeoutMs: 2_500 })),
    nodeId: () => Promise.resolve(NODE),
  })
  const view = { ...fakeView({}).view, nowMs: Date.now(), store }
  return (await Promise.all(STORE_CHECKS.map((check) => check.look(view, signal)))).flat()
}

const causes = async (options: Partial<EtcdAccess>): Promise<readonly string[]> =>
  (await found(options)).map(({ cause }) => cause)

/** The port of a server that goes with the test. */
async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

const at = (port: number | undefined, scheme = 'http'): Pick<EtcdAccess, 'endpoints'> => ({
  endpoints: [`${scheme}://127.0.0.1:${port ?? 0}`],
})
const mutual = (): Partial<EtcdAccess> => ({
  ...{ caFile: files.caFile, certFile: files.certFile, keyFile: files.keyFile, endpoints: tls.endpoints },
})
const as = (username: string, password: string): Partial<EtcdAccess> => ({
  endpoints: guarded.endpoints,
  username,
  password,
})

test('where an etcd is as it should be, nothing is found, and nothing written: plain, with certificates, with a user', async () => {
  const revision = async (cluster: EtcdCluster): Promise<unknown> =>
    /"revision":(\d+)/.exec(await cluster.etcdctl(['get', 'none', '-w', 'json']))?.[1]
  const before = await Promise.all([plain, tls, guarded].map(revision))
  expect(await causes({ endpoints: plain.endpoints })).toEqual([])
  expect(await causes(mutual())).toEqual([])
  expect(await causes(as('root', 'rootpw'))).toEqual([])
  expect(await Promise.all([plain, tls, guarded].map(revision))).toEqual(before)
})

describe('who answers', () => {
  test('nobody: refused, a name without an address, a firewall that drops', async () => {
    const [port] = await freePorts(1)
    expect(await causes(at(port))).toEqual(['etcd-refused'])
    expect(await causes({ endpoints: ['http://no-such-host.invalid:2379'] })).toEqual(['etcd-name-unknown'])
    expect(await causes({ endpoints: ['http://127.0.0.99:9'] })).toEqual(['etcd-refused'])
  })

  test('http where TLS is spoken, https where none is', async () => {
    expect(await causes(at(tls.member.place.clientPort))).toEqual(['etcd-wants-tls'])
    expect(await causes({ ...mutual(), ...at(plain.member.place.clientPort, 'https') })).toEqual(['etcd-speaks-no-tls'])
  })

  test('an etcd of v2 alone, a web server, something else', async () => {
    const webServer = (status: number, body: string) =>
      listening(httpServer((_, response) => response.writeHead(status, { connection: 'close' }).end(body)))
    expect(await causes(at(await webServer(200, '{"etcdserver":"2.3.8","etcdcluster":"2.3.0"}')))).toEqual([
      'etcd-v2-only',
    ])
    expect(await causes(at(await webServer(404, 'no page')))).toEqual(['etcd-is-not-there'])
    const ssh = createServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-OpenSSH_9.2\r\n'))
    expect(await causes(at(await listening(ssh)))).toEqual(['etcd-is-not-there'])
  })
})

describe('certificates', () => {
  test('another CA, another name, none of ours, a broken file', async () => {
    expect(await causes({ ...mutual(), caFile: files.otherCaFile })).toEqual(['etcd-certificate-untrusted'])
    const port = tls.member.place.clientPort
    expect(await causes({ ...mutual(), endpoints: [`https://localhost:${port}`] })).toEqual(['etcd-certificate-name'])
    expect(await causes({ ...mutual(), certFile: '', keyFile: '' })).toEqual(['own-certificate-refused'])
    expect(await causes({ ...mutual(), keyFile: files.otherCaFile })).toEqual(['certificate-files'])
    expect(await causes({ ...mutual(), keyFile: '/run/no-such.key' })).toEqual(['certificate-files'])
  })

  test('ours that has ended, and that soon will', async () => {
    const ended = await found({ ...mutual(), certFile: files.expiredCertFile })
    expect(ended.map(({ cause }) => cause)).toContain('own-certificate-expired')
    expect(ended.every(({ cause }) => cause === 'own-certificate-expired')).toBe(true)
    const ending = files.endingAt(new Date(Date.now() + 3 * 86_400_000 + 60_000))
    const [finding, ...more] = await found({ ...mutual(), certFile: ending })
    expect(more).toEqual([])
    expect(finding).toMatchObject({ cause: 'certificate-expiring', severity: 'risk' })
    expect(finding?.summary).toContain('ends in 3 days')
  })

  test('that of etcd, which has ended', async () => {
    const [key, cert] = [readFileSync(files.keyFile), readFileSync(files.expiredCertFile)]
    const port = await listening(secureHttp2({ key, cert }))
    expect(await causes({ ...mutual(), ...at(port, 'https') })).toEqual(['etcd-certificate-expired'])
  })
})

describe('users and roles', () => {
  test('no user, a wrong password', async () => {
    expect(await causes({ endpoints: guarded.endpoints })).toEqual(['etcd-wants-user'])
    const [finding, ...more] = await found(as('reader', 'wrong'))
    expect(more).toEqual([])
    expect(finding).toMatchObject({ cause: 'etcd-password' })
    expect(JSON.stringify(finding)).not.toContain('wrong"')
    expect(finding?.summary).toContain('user reader')
  })

  test('a role that permits nothing, reading alone, or not the challenges: what it grants cures it', async () => {
    const [nothing] = await found(as('stranger', 'pw'))
    expect(nothing?.summary).toBe(`user stranger may not read below ${PREFIX}/ in etcd: no role of it permits that`)
    expect((await found(as('reader', 'pw'))).map(({ summary }) => summary)).toEqual([
      `user reader may not write below ${PREFIX}/ in etcd: no role of it permits that`,
    ])
    const half = await found(as('half', 'pw'))
    expect(half.map(({ cause }) => cause)).toEqual(['etcd-role'])
    const cures = (half[0]?.cure ?? []).filter((cure) => / role (add|grant)|user grant-role/.test(cure))
    for (const cure of cures) await guarded.etcdctl((cure.split('--user=root ')[1] ?? '').split(' '))
    expect(await causes(as('half', 'pw'))).toEqual([])
  })
})

describe('what is kept there', () => {
  test('no configuration, and one elsewhere; one that cannot be used', async () => {
    const options = { endpoints: plain.endpoints, prefix: '/elsewhere/net' }
    const [missing, ...more] = await found(options)
    expect(more).toEqual([])
    expect(missing).toMatchObject({ cause: 'configuration-missing' })
    expect(missing?.cure[0]).toContain(`FLANNELD_ETCD_PREFIX=${PREFIX}`)
    await plain.etcdctl(['put', '/elsewhere/net/config', "{'Network':"])
    expect(await causes(options)).toEqual(['configuration-invalid'])
  })

  test('no room for another subnet', async () => {
    const options = { endpoints: plain.endpoints, prefix: '/small' }
    await plain.etcdctl([
      'put',
      '/small/config',
      '{"Network":"10.15.0.0/22","SubnetLen":24,"SubnetMin":"10.15.0.0","SubnetMax":"10.15.1.0"}',
    ])
    for (const name of ['10.15.0.0-24', '10.15.1.0-24'])
      await plain.etcdctl(['put', `/small/subnets/${name}`, '{"PublicIP":"10.0.0.1"}'])
    expect(await causes(options)).toEqual(['out-of-subnets'])
  })

  test('a configuration of API v2, which is another key', async () => {
    const old = await EtcdCluster.start({ args: ['--enable-v2'] })
    onTestFinished(() => old.close())
    const put = await fetch(`${old.member.endpoint}/v2/keys${PREFIX}/config`, {
      method: 'PUT',
      body: new URLSearchParams({ value: '{}' }),
    })
    expect(put.ok).toBe(true)
    const [missing] = await found({ endpoints: old.endpoints })
    expect(missing?.evidence.join('\n')).toContain(`API v2 has ${PREFIX}/config`)
  })
})

test('a database that is full', async () => {
  const full = await EtcdCluster.start({ args: ['--quota-backend-bytes', String(1 << 20)] })
  onTestFinished(() => full.close())
  await full.etcdctl(['put', `${PREFIX}/config`, CONFIG])
  const fill = (): Promise<string> => full.etcdctl(['put', '/filler', 'x'.repeat(100_000)]).then(() => 'more', String)
  await expect.poll(fill, { timeout: 20_000, interval: 10 }).toMatch(/space exceeded/)
  expect(new Set(await causes({ endpoints: full.endpoints }))).toEqual(new Set(['etcd-full']))
})

test('an etcd that is frozen', async () => {
  const frozen = await EtcdCluster.start()
  onTestFinished(() => frozen.close())
  frozen.member.freeze()
  onTestFinished(() => {
    frozen.member.thaw()
  })
  expect(await causes({ endpoints: frozen.endpoints })).toEqual(['etcd-without-leader'])
})

test('a clock that is far from that of etcd', async () => {
  const lookedMs = Date.now() + 7_200_000
  const store = storeReads({
    ...{
      etcd: { endpoints: tls.endpoints, prefix: PREFIX, ...mutual() },
      signal,
      wallMs: () => lookedMs,
      from: 'the test',
      isDefault: false,
    },
    open: (etcd) => Promise.resolve(openStore(etcd)),
    nodeId: () => Promise.resolve(undefined),
  })
  const { clock } = await store.ask()
  expect(Math.abs((clock?.oursMs ?? 0) - (clock?.theirsMs ?? 0) - 7_200_000)).toBeLessThan(30_000)
})
