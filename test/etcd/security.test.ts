import { copyFileSync } from 'node:fs'

import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'

import { Conditions } from '../../src/agent/runtime/conditions.ts'
import { runTask } from '../../src/agent/runtime/task.ts'
import { RightsTask } from '../../src/etcd/subnets/rights-task.ts'
import type { EtcdLeaseStore } from '../../src/etcd/etcd-lease-store.ts'
import type { EtcdAccess } from '../../src/config/options.ts'
import { FakeClock } from '../fake/fake-clock.ts'
import { recordingLog } from '../fake/recording-log.ts'
import { runtime } from '../fake/runtime.ts'
import { WatchLog } from '../contract/lease-store-contract.ts'
import { EtcdCluster } from '../lab/etcd-process.ts'
import { makeCertificates, type Certificates } from '../lab/certificates.ts'
import { createEventually, openStore } from './etcd-harness.ts'
import { TcpProxy } from './tcp-proxy.ts'

const { signal } = new AbortController()
const DEADLINE = { timeout: 30_000, interval: 20 }

function opened(options: Partial<EtcdAccess>): EtcdLeaseStore {
  const store = openStore(options)
  onTestFinished(() => {
    store.close()
  })
  return store
}

/** What the text of a failure has to say. */
const containing = (text: string): unknown => expect.stringContaining(text)
const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern)

/** Open TCP connections of this process, as Node counts them. */
const tcpSockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length

describe('TLS', () => {
  let files: Certificates
  let cluster: EtcdCluster
  beforeAll(async () => {
    files = makeCertificates()
    cluster = await EtcdCluster.start({ tls: { ...files, clientAuth: true } })
  })
  afterAll(async () => {
    await cluster.close()
    files.remove()
  })

  const mutual = (): Partial<EtcdAccess> => ({ ...files, endpoints: cluster.endpoints })

  test('a store with a client certificate lists, writes and watches', async () => {
    const store = opened(mutual())
    const log = new WatchLog(store, await store.list(signal))
    await store.create('10.1.0.0-24', 'one', { kind: 'reservation' }, signal)
    await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=one'])
    log.abort()
  })

  test('a server that the given CA did not sign is refused, saying so', async () => {
    const store = opened({ ...mutual(), caFile: files.otherCaFile })
    const refusal = { code: 'UNAVAILABLE', message: containing('--etcd-cafile') }
    await expect(store.list(signal)).rejects.toMatchObject(refusal)
  })

  test('a server that the system does not trust is refused without a CA file, and trusted once SSL_CERT_FILE names its CA', async () => {
    const options = { ...mutual(), caFile: '' }
    await expect(opened(options).list(signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    process.env['SSL_CERT_FILE'] = files.caFile
    onTestFinished(() => {
      delete process.env['SSL_CERT_FILE']
    })
    await opened(options).list(signal)
  })

  test.each([
    ['without certificate', { certFile: '', keyFile: '' }, /--etcd-certfile/],
    ['with an expired certificate', { certFile: 'expired' }, /--etcd-certfile/],
  ])('a client %s is refused by etcd, saying so', async (_, wrong, cause) => {
    const expired = wrong.certFile === 'expired' ? { certFile: files.expiredCertFile } : {}
    const store = opened({ ...mutual(), ...wrong, ...expired })
    const failures = (): Promise<string> => store.list(signal).then(() => 'works', String)
    await expect.poll(failures, DEADLINE).toMatch(cause)
  })

  test('an http endpoint that is in fact https, and the other way round, fails as unavailable', async () => {
    const plain = opened({ endpoints: [cluster.member.endpoint.replace('https', 'http')] })
    await expect(plain.list(signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  test.each([
    ['before its first word', 'blackHole', (proxy: TcpProxy) => proxy.heldConnections],
    ['in the middle', 'swallowAnswers', (proxy: TcpProxy) => proxy.openConnections],
  ] as const)('a handshake that hangs %s is given up, said, and made anew until it works', async (_, hang, open) => {
    const proxy = await TcpProxy.start(cluster.member.place.clientPort)
    onTestFinished(() => {
      proxy.close()
    })
    const store = opened({ ...mutual(), endpoints: [proxy.endpoint.replace('http:', 'https:')] })
    proxy[hang]()
    const attempts: unknown[] = []
    void store.list(signal).catch((error: unknown) => attempts.push(error))
    await expect.poll(() => open(proxy), DEADLINE).toBe(1)
    await expect.poll(() => open(proxy), DEADLINE).toBe(0)
    await expect.poll(() => attempts, DEADLINE).toMatchObject([{ message: containing('no handshake within 3000 ms') }])
    proxy.pass()
    await expect.poll(() => store.list(signal).then(() => 'works', String), DEADLINE).toBe('works')
  })

  test('certificates that are replaced on disk are taken up, the CA together with the server, without a new store', async () => {
    const renewed = makeCertificates()
    const store = opened(mutual())
    const log = new WatchLog(store, await store.list(signal))
    await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
    await cluster.member.stop()
    for (const name of ['caFile', 'certFile', 'keyFile'] as const) copyFileSync(renewed[name], files[name])
    await cluster.restart()
    await cluster.etcdctl(['put', '/coreos.com/network/subnets/10.3.0.0-24', 'three'])
    await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.3.0.0-24=three'])
    await store.list(signal)
    log.abort()
    renewed.remove()
  })

  test('a key that is missing among the flags is named before anything is connected', () => {
    const path = '--etcd-keyfile'
    expect(() => openStore({ ...mutual(), keyFile: '' })).toThrow(
      expect.objectContaining({ name: 'ConfigError', path }),
    )
  })
})

test.each([
  ['--etcd-username', { password: 'hush' }],
  ['--etcd-cafile', { caFile: '/etc/ca.pem' }],
  ['--etcd-certfile', { certFile: '/etc/cert.pem' }],
  ['--etcd-endpoints', { endpoints: ['http://127.0.0.1:1', 'https://127.0.0.1:1'] }],
])('%s that cannot be meant like that is named at once', (path, wrong) => {
  const open = (): unknown => openStore({ endpoints: ['http://127.0.0.1:1'], ...wrong })
  expect(open).toThrow(expect.objectContaining({ name: 'ConfigError', path }))
  expect(open).toThrow(/^(?!.*hush)/)
})

describe('users and roles', () => {
  const TOKEN_TTL_SECONDS = 1
  let cluster: EtcdCluster
  beforeAll(async () => {
    cluster = await EtcdCluster.start({ args: ['--auth-token-ttl', String(TOKEN_TTL_SECONDS), '--bcrypt-cost', '4'] })
    for (const command of [
      'user add root:rootpw',
      'user grant-role root root',
      'role add flannel',
      'role grant-permission flannel --prefix=true readwrite /coreos.com/network/',
      'user add agent:s3cret-pass',
      'user grant-role agent flannel',
      'user add stranger:stranger',
      'auth enable',
    ])
      await cluster.etcdctl(command.split(' '))
    cluster.user = 'root:rootpw'
  })
  afterEach(async () => {
    await cluster.etcdctl(['del', '--prefix', '/coreos.com/network/'])
  })
  afterAll(() => cluster.close())

  const agent = (): EtcdLeaseStore =>
    opened({ endpoints: cluster.endpoints, username: 'agent', password: 's3cret-pass' })

  /** Until the tokens of all stores have expired: nothing else tells. */
  const tokensExpired = (): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, TOKEN_TTL_SECONDS * 1_000 + 1_200))

  test('calls go on when the token has expired', async () => {
    const store = agent()
    const created = await store.create('10.1.0.0-24', 'one', { kind: 'grant', ttlSeconds: 600 }, signal)
    if (!created.ok) throw new Error('refused')
    await tokensExpired()
    expect((await store.list(signal)).records).toEqual([created.record])
    await tokensExpired()
    expect(await store.keepAlive(created.record.etcdLeaseId, signal)).toMatchObject({ alive: true })
  })

  test('a watch that has to reconnect with an expired token catches up', async () => {
    const store = agent()
    const log = new WatchLog(store, await store.list(signal))
    await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
    await tokensExpired()
    await cluster.member.stop()
    await expect.poll(() => log.losses, DEADLINE).toHaveLength(1)
    await cluster.restart()
    await cluster.etcdctl(['put', '/coreos.com/network/subnets/10.1.0.0-24', 'one'])
    await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=one'])
    log.abort()
  })

  test('a wrong password fails for good and is not repeated in the error', async () => {
    const store = opened({ endpoints: cluster.endpoints, username: 'agent', password: 'not-it-either' })
    const failure: unknown = await store.list(signal).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'UNAUTHENTICATED', retryable: false })
    expect(String(failure)).toMatch(/invalid user ID or password.*"agent"/)
    expect(String(failure)).not.toContain('not-it-either')
    expect(JSON.stringify(failure)).not.toContain('not-it-either')
  })

  test('an unknown user, and none where one is wanted, are told as such', async () => {
    const unknown = opened({ endpoints: cluster.endpoints, username: 'nobody', password: 'any' })
    await expect(unknown.list(signal)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: matching(/invalid user ID or password.*"nobody"/),
    })
    const none = opened({ endpoints: cluster.endpoints })
    await expect(none.list(signal)).rejects.toThrow(/user name is empty \(etcd wants a user: --etcd-username/)
  })

  test('tokens that expire again and again leave no connection behind', async () => {
    const store = agent()
    await store.list(signal)
    const before = tcpSockets()
    for (let renewal = 0; renewal < 3; renewal++) {
      await tokensExpired()
      await store.list(signal)
    }
    expect(tcpSockets()).toBeLessThanOrEqual(before)
  })

  test('a user without permission fails for good, in calls and in watches, until it is granted', async () => {
    const store = opened({ endpoints: cluster.endpoints, username: 'stranger', password: 'stranger' })
    await expect(store.list(signal)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      retryable: false,
      message: matching(
        /permission denied \(user "stranger" lacks a role with read permission below \/coreos.com\/network\/\)$/,
      ),
    })
    const log = new WatchLog(store, await agent().list(signal))
    await expect.poll(() => log.losses, DEADLINE).toHaveLength(1)
    await cluster.etcdctl(['user', 'grant-role', 'stranger', 'flannel'])
    await cluster.etcdctl(['put', '/coreos.com/network/subnets/10.1.0.0-24', 'one'])
    await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=one'])
    log.abort()
  })
})

describe('authentication that comes and goes', () => {
  test('is followed by a store that has a user, over the connection it has, and asked of one that has none', async () => {
    const cluster = await EtcdCluster.start({ args: ['--bcrypt-cost', '4'] })
    onTestFinished(() => cluster.close())
    const commands = ['user add root:rootpw', 'user grant-role root root', 'role add all', 'user add agent:pw']
    for (const command of [
      ...commands,
      'role grant-permission all --prefix=true readwrite /',
      'user grant-role agent all',
    ])
      await cluster.etcdctl(command.split(' '))
    const store = opened({ endpoints: cluster.endpoints, username: 'agent', password: 'pw' })
    const nobody = opened({ endpoints: cluster.endpoints })
    for (const one of [store, nobody]) await one.list(signal)
    await cluster.etcdctl(['auth', 'enable'])
    cluster.user = 'root:rootpw'
    await store.list(signal)
    await expect(nobody.list(signal)).rejects.toThrow(/etcd wants a user/)
    await cluster.etcdctl(['auth', 'disable'])
    cluster.user = undefined
    for (const one of [store, nobody]) await one.list(signal)
    await cluster.etcdctl(['auth', 'enable'])
    await store.list(signal)
  })

  test('is noticed by an agent that has no user, whose watch is served on, and that it is over', async () => {
    const cluster = await EtcdCluster.start({ args: ['--bcrypt-cost', '4'] })
    onTestFinished(() => cluster.close())
    for (const command of ['user add root:rootpw', 'user grant-role root root'])
      await cluster.etcdctl(command.split(' '))
    const store = opened({ endpoints: cluster.endpoints })
    const [clock, stop] = [new FakeClock(), new AbortController()]
    const conditions = new Conditions({ clock, log: recordingLog() })
    const running = runTask(new RightsTask({ store, conditions, random: Math.random }), runtime(clock, stop.signal))
    const log = new WatchLog(store, await store.list(signal))
    await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
    await cluster.etcdctl(['auth', 'enable'])
    cluster.user = 'root:rootpw'
    await cluster.etcdctl(['put', '/coreos.com/network/subnets/10.1.0.0-24', 'one'])
    await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=one'])
    await clock.advance(4_200_000)
    await expect
      .poll(() => conditions.all(), DEADLINE)
      .toMatchObject([
        {
          what: 'rights in etcd',
          effect: 'degraded',
          reason: containing('etcd wants a user'),
          fault: { root: 'no user' },
        },
      ])
    await cluster.etcdctl(['auth', 'disable'])
    await expect
      .poll(async () => {
        await clock.advance(30_000)
        return conditions.all()
      }, DEADLINE)
      .toEqual([])
    log.abort()
    stop.abort()
    await running
  })
})

describe('a database that is full', () => {
  test('refuses writes saying how to cure it, still lists and renews, and works again when cured', async () => {
    const cluster = await EtcdCluster.start({ args: ['--quota-backend-bytes', String(1 << 20)] })
    onTestFinished(() => cluster.close())
    const store = opened({ endpoints: cluster.endpoints })
    const kept = await store.create('10.1.0.0-24', 'one', { kind: 'grant', ttlSeconds: 600 }, signal)
    if (!kept.ok) throw new Error('refused')
    const fill = (): Promise<string> =>
      cluster.etcdctl(['put', '/filler', 'x'.repeat(100_000)]).then(() => 'more', String)
    await expect.poll(fill, DEADLINE).toMatch(/space exceeded/)
    const create = (): Promise<unknown> => store.create('10.2.0.0-24', 'two', { kind: 'reservation' }, signal)
    await expect(create()).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      retryable: true,
      message: matching(/database space exceeded.*compact.*defrag.*alarm disarm/),
    })
    expect((await store.list(signal)).records).toEqual([kept.record])
    expect(await store.keepAlive(kept.record.etcdLeaseId, signal)).toMatchObject({ alive: true })
    const { revision } = await store.list(signal)
    await cluster.etcdctl(['compact', '--physical', String(revision)])
    await cluster.etcdctl(['defrag'])
    await cluster.etcdctl(['alarm', 'disarm'])
    await createEventually(store, '10.2.0.0-24', 'two')
  })
})
