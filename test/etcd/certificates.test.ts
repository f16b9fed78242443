import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { credentials } from '@grpc/grpc-js'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'

import type { EtcdAccess } from '../../src/config/options.ts'
import { SocketKeeper } from '../../src/etcd/client/credentials.ts'
import { TlsFiles } from '../../src/etcd/client/tls.ts'
import type { EtcdLeaseStore } from '../../src/etcd/etcd-lease-store.ts'
import { WatchLog } from '../contract/lease-store-contract.ts'
import { makeCertificates, type Certificates } from '../lab/certificates.ts'
import { EtcdCluster } from '../lab/etcd-process.ts'
import { openStore } from './etcd-harness.ts'

const { signal } = new AbortController()
const DEADLINE = { timeout: 30_000, interval: 50 }
const SECOND_MS = 1_000

let files: Certificates
let cluster: EtcdCluster
/** The client's own, which a test may spoil. */
let own: Certificates

beforeAll(async () => {
  files = makeCertificates()
  cluster = await EtcdCluster.start({ tls: { ...files, clientAuth: true } })
})
afterAll(async () => {
  await cluster.close()
  files.remove()
})
beforeEach(() => {
  own = makeCertificates()
  copyFileSync(files.caFile, own.caFile)
  copyFileSync(files.certFile, own.certFile)
  copyFileSync(files.keyFile, own.keyFile)
  const made = own
  onTestFinished(() => {
    made.remove()
  })
})

function opened(wrong: Partial<EtcdAccess> = {}): EtcdLeaseStore {
  const { caFile, certFile, keyFile } = own
  const store = openStore({ caFile, certFile, keyFile, endpoints: cluster.endpoints, ...wrong })
  onTestFinished(() => {
    store.close()
  })
  return store
}

const listed = (store: EtcdLeaseStore): Promise<string> => store.list(signal).then(() => 'works', String)

/** All connections end, and new ones can be had. */
async function etcdRestarts(): Promise<void> {
  await cluster.member.stop()
  await cluster.restart()
}

describe('at the start, a file that cannot be meant is named with its flag', () => {
  test.each<[string, () => Partial<EtcdAccess>, string, RegExp]>([
    ['a key of another certificate', () => ({ keyFile: fresh().keyFile }), '--etcd-keyfile', /not that of another/],
    ['a key behind a passphrase', () => ({ keyFile: own.lockedKeyFile }), '--etcd-keyfile', /without a passphrase/],
    ['a certificate for a key', () => ({ keyFile: own.certFile }), '--etcd-keyfile', /and not a certificate/],
    ['anything for a key', () => ({ keyFile: broken('text') }), '--etcd-keyfile', /a private key as PEM/],
    ['half a key', () => ({ keyFile: broken(half(own.keyFile)) }), '--etcd-keyfile', /not broken/],
    ['a key for a certificate', () => ({ certFile: own.keyFile }), '--etcd-certfile', /and not a key/],
    ['half a certificate', () => ({ certFile: broken(half(own.certFile)) }), '--etcd-certfile', /certificates as PEM/],
    ['a key for a CA', () => ({ caFile: own.keyFile }), '--etcd-cafile', /and not a key/],
    ['text for a CA', () => ({ caFile: broken('text') }), '--etcd-cafile', /certificates as PEM/],
    ['a broken CA', () => ({ caFile: broken(BROKEN_CERTIFICATE) }), '--etcd-cafile', /none of them broken/],
    ['a folder for a CA', () => ({ caFile: '/etc' }), '--etcd-cafile', /a file that can be read \(EISDIR\)/],
  ])('%s', (_, wrong, flag, words) => {
    const access = wrong()
    const [path] = Object.values(access)
    const refusal = { name: 'ConfigError', path: flag, got: JSON.stringify(path) }
    expect(() => opened(access)).toThrow(expect.objectContaining(refusal))
    expect(() => opened(access)).toThrow(words)
  })

  test('certificate and key in one file, and a chain of several, are taken', async () => {
    const both = broken(readFileSync(own.certFile, 'latin1') + readFileSync(own.keyFile, 'latin1'))
    expect(await listed(opened({ certFile: both, keyFile: both }))).toBe('works')
    const chain = broken(readFileSync(own.certFile, 'latin1') + readFileSync(own.caFile, 'latin1'))
    expect(await listed(opened({ certFile: chain }))).toBe('works')
  })
})

describe('a file that is not there yet', () => {
  test.each(['caFile', 'certFile', 'keyFile'] as const)('%s is waited for, and named meanwhile', async (name) => {
    const content = readFileSync(own[name])
    rmSync(own[name])
    const store = opened()
    expect(await listed(store)).toContain(
      `waiting for ${own[name]} (--etcd-${name.toLowerCase()}), which is not there yet`,
    )
    expect(store.certificates?.look()).toMatchObject({ inUse: false })
    writeFileSync(own[name], '')
    expect(await listed(store)).toContain('which is empty')
    writeFileSync(own[name], content)
    expect(await listed(store)).toBe('works')
    expect(store.certificates?.look()).toMatchObject({ inUse: true, problem: undefined })
  })
})

describe('while running', () => {
  test('files that do not fit together are kept as they were, named, and read again until they do', async () => {
    const store = opened()
    expect(await listed(store)).toBe('works')
    writeFileSync(own.keyFile, half(own.keyFile))
    expect(store.certificates?.look().problem).toMatch(/^--etcd-keyfile: expected/)
    await etcdRestarts()
    expect(await listed(store)).toBe('works')
    copyFileSync(files.endingAt(new Date(Date.now() + 3_600 * SECOND_MS)), own.certFile)
    expect(store.certificates?.look()).toMatchObject({ inUse: true })
    copyFileSync(files.keyFile, own.keyFile)
    const { problem, validities } = store.certificates?.look() ?? {}
    expect(problem).toBeUndefined()
    expect(Math.min(...(validities ?? []).map(({ toMs }) => toMs))).toBeLessThan(Date.now() + 3_601 * SECOND_MS)
    expect(await listed(store)).toBe('works')
  })

  test('a certificate of ours that expires is named as such, by calls and by the watch, and a new one is taken up', async () => {
    copyFileSync(files.endingAt(new Date(Date.now() + 3 * SECOND_MS)), own.certFile)
    const store = opened()
    const log = new WatchLog(store, await store.list(signal))
    await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
    const [end = 0] = (store.certificates?.look().validities ?? []).map(({ toMs }) => toMs)
    await expect.poll(() => Date.now() > end, DEADLINE).toBe(true)
    await etcdRestarts()
    await expect.poll(() => listed(store), DEADLINE).toContain('the certificate in --etcd-certfile has expired')
    await expect
      .poll(() => String(log.stillAway.at(-1)), DEADLINE)
      .toContain('the certificate in --etcd-certfile has expired')
    copyFileSync(files.certFile, own.certFile)
    await expect.poll(() => listed(store), DEADLINE).toBe('works')
    await expect.poll(() => log.connection.at(-1), DEADLINE).toBe('up')
    log.abort()
  })

  test('what gRPC connects with by itself, again and again, are the files as they are then', async () => {
    const tls = new TlsFiles({ ...own, endpoints: cluster.endpoints, prefix: '/coreos.com/network' })
    const keeper = new SocketKeeper(
      () => {
        const { rootCertificate, privateKey = null, certChain = null } = tls.get()
        return credentials.createSsl(rootCertificate, privateKey, certChain)
      },
      { isReady: () => true, onCertificate: () => undefined },
    )
    onTestFinished(() => {
      keeper.close()
    })
    const { hostname: host, port: text } = new URL(cluster.member.endpoint)
    const port = Number(text)
    const connector = keeper._createSecureConnector({ scheme: 'dns', path: `${host}:${port}` }, {})
    const connects = (): Promise<string> =>
      connector.connect(connect({ host, port })).then(({ secure }) => `secure: ${String(secure)}`, String)
    expect(await connects()).toBe('secure: true')
    copyFileSync(fresh().caFile, own.caFile)
    expect(await connects()).toContain('certificate')
    copyFileSync(files.caFile, own.caFile)
    expect(await connects()).toBe('secure: true')
  })

  test("etcd's own certificate that expires is named as such, and its end is known before", async () => {
    const servers = makeCertificates()
    onTestFinished(() => {
      servers.remove()
    })
    copyFileSync(servers.endingAt(new Date(Date.now() + 4 * SECOND_MS)), servers.certFile)
    const shortLived = await EtcdCluster.start({ tls: servers })
    onTestFinished(() => shortLived.close())
    const store = openStore({ caFile: servers.caFile, endpoints: shortLived.endpoints })
    onTestFinished(() => {
      store.close()
    })
    expect(await listed(store)).toBe('works')
    const shown = store.certificates
      ?.look()
      .validities.find(({ what }) => what === `the certificate of ${shortLived.member.endpoint}`)
    expect(shown?.toMs).toBeLessThan(Date.now() + 4 * SECOND_MS)
    await expect.poll(() => Date.now() > (shown?.toMs ?? 0), DEADLINE).toBe(true)
    store.refreshConnections()
    expect(await listed(store)).toContain("the server's certificate has expired (CERT_HAS_EXPIRED)")
  })
})

const BROKEN_CERTIFICATE = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

function fresh(): Certificates {
  const made = makeCertificates()
  onTestFinished(() => {
    made.remove()
  })
  return made
}

const half = (path: string): string => {
  const text = readFileSync(path, 'latin1')
  return text.slice(0, text.length / 2)
}

/** A file of this content, which goes with the test. */
function broken(content: string): string {
  const path = `${own.caFile}.${String(Math.random()).slice(2)}`
  writeFileSync(path, content)
  return path
}
