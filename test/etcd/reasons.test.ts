import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as httpServer } from 'node:http'
import { createSecureServer as secureHttp2, createServer as http2Server } from 'node:http2'
import { createServer as httpsServer } from 'node:https'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'

import type { EtcdAccess } from '../../src/config/options.ts'
import { WatchLog } from '../contract/lease-store-contract.ts'
import { makeCertificates, type Certificates } from '../lab/certificates.ts'
import { EtcdCluster, freePorts } from '../lab/etcd-process.ts'
import { openStore } from './etcd-harness.ts'

const { signal } = new AbortController()
const DEADLINE = { timeout: 30_000, interval: 50 }

let files: Certificates
let plain: EtcdCluster
let tls: EtcdCluster

beforeAll(async () => {
  files = makeCertificates()
  ;[plain, tls] = await Promise.all([EtcdCluster.start(), EtcdCluster.start({ tls: { ...files, clientAuth: true } })])
})
afterAll(async () => {
  await Promise.all([plain.close(), tls.close()])
  files.remove()
})

/** What a list fails with. */
async function failureOf(options: Partial<EtcdAccess>): Promise<string> {
  const store = openStore(options)
  try {
    return await store.list(signal).then(() => 'works', String)
  } finally {
    store.close()
  }
}

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

/** Answers every request alike, in HTTP/1. */
const answering = (status: number, body: string): Server =>
  httpServer((_, response) => {
    response.writeHead(status, { connection: 'close' }).end(body)
  })

describe('the reason why there is no etcd, in words', () => {
  test('TLS is spoken where the endpoint says http://', async () => {
    const port = tls.member.place.clientPort
    expect(await failureOf({ endpoints: [`http://127.0.0.1:${port}`] })).toMatch(/wants TLS: an https:\/\/ endpoint\?/)
  })

  test('TLS by a server that says so in HTTP', async () => {
    const port = await listening(answering(400, 'Client sent an HTTP request to an HTTPS server.\n'))
    expect(await failureOf({ endpoints: [`http://127.0.0.1:${port}`] })).toMatch(/wants TLS: an https:\/\/ endpoint\?/)
  })

  test('none is spoken where it says https://', async () => {
    const port = plain.member.place.clientPort
    const said = await failureOf({ ...files, endpoints: [`https://127.0.0.1:${port}`] })
    expect(said).toMatch(/speaks no TLS: an http:\/\/ endpoint\?/)
  })

  // as etcd 2.3 answers (etcd: etcdserver/api/v2http): there is no package of it any more
  test('an etcd that has the v2 API only', async () => {
    const port = await listening(answering(200, '{"etcdserver":"2.3.8","etcdcluster":"2.3.0"}'))
    const said = await failureOf({ endpoints: [`http://127.0.0.1:${port}`] })
    expect(said).toMatch(/an etcd answers that has no v3 API \(version 2\.3\.8\)/)
  })

  test('a service of HTTP/1, without TLS and with it', async () => {
    const port = await listening(answering(404, '404 page not found'))
    expect(await failureOf({ endpoints: [`http://127.0.0.1:${port}`] })).toMatch(/speaks no HTTP\/2/)
    const [key, cert] = [readFileSync(files.keyFile), readFileSync(files.certFile)]
    const secure = await listening(httpsServer({ key, cert }, (_, response) => response.end()))
    expect(await failureOf({ ...files, endpoints: [`https://127.0.0.1:${secure}`] })).toMatch(/speaks no HTTP\/2/)
  })

  test('something else altogether: a greeting, and another service of HTTP/2', async () => {
    const ssh = createServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-OpenSSH_9.2\r\n'))
    const port = await listening(ssh)
    expect(await failureOf({ endpoints: [`http://127.0.0.1:${port}`] })).toMatch(/no etcd with the v3 API/)
    const web = http2Server().on('stream', (stream) => {
      stream.respond({ ':status': 404 }, { endStream: true })
    })
    const other = await listening(web)
    expect(await failureOf({ endpoints: [`http://127.0.0.1:${other}`] })).toMatch(/no etcd with the v3 API/)
  })

  test('a server that hangs up at once', async () => {
    const port = await listening(createServer((socket) => socket.end()))
    expect(await failureOf({ endpoints: [`http://127.0.0.1:${port}`] })).toMatch(/closed by the other end/)
  })

  test('a port where nothing listens, and a name without an address', async () => {
    const [port = 0] = await freePorts(1)
    expect(await failureOf({ endpoints: [`http://127.0.0.1:${port}`] })).toMatch(
      /nothing listens there \(ECONNREFUSED\)$/,
    )
    const said = await failureOf({ endpoints: ['http://no-such-host.invalid:2379'] })
    expect(said).toMatch(/there is no address for that name \(ENOTFOUND\)$/)
  })

  test('a firewall that drops', async () => {
    const [port = 0] = await freePorts(1)
    const nft = (rules: string): unknown => execFileSync('nft', ['-f', '-'], { input: rules })
    nft(`table ip dropping { chain in { type filter hook input priority 0; tcp dport ${port} drop
}
}`)
    onTestFinished(() => {
      nft('delete table ip dropping')
    })
    expect(await failureOf({ endpoints: [`http://127.0.0.1:${port}`] })).toMatch(/nobody answers there.*firewall/)
  })

  test('a certificate for another name, one that signed itself, and a CA that has changed', async () => {
    const { clientPort } = tls.member.place
    const named = await failureOf({ ...files, endpoints: [`https://localhost:${clientPort}`] })
    expect(named).toMatch(/certificate is for other names than that in --etcd-endpoints/)
    const endpoints = [`https://127.0.0.1:${clientPort}`]
    const changed = await failureOf({ ...files, caFile: files.otherCaFile, endpoints })
    expect(changed).toMatch(/certificate that --etcd-cafile .* does not vouch for/)
    const [key, cert] = [readFileSync(files.otherCaFile.replace('.pem', '.key')), readFileSync(files.otherCaFile)]
    const selfSigned = await listening(secureHttp2({ key, cert }))
    const unknown = await failureOf({ ...files, endpoints: [`https://127.0.0.1:${selfSigned}`] })
    expect(unknown).toMatch(/does not vouch for/)
  })

  test('each of several endpoints fails for a reason of its own: all are told', async () => {
    const [port = 0] = await freePorts(1)
    const [secure, open] = [tls.member.place.clientPort, plain.member.place.clientPort]
    const endpoints = [`https://localhost:${secure}`, `https://127.0.0.1:${open}`, `https://127.0.0.1:${port}`]
    const said = await failureOf({ ...files, endpoints })
    expect(said).toContain(`https://localhost:${secure}: the server's certificate is for other names`)
    expect(said).toContain(`https://127.0.0.1:${open}: the server speaks no TLS`)
    expect(said).toContain(`https://127.0.0.1:${port}: nothing listens there`)
  })

  test('where all fail for the same one, it is told once', async () => {
    const ports = await freePorts(3)
    const said = await failureOf({ endpoints: ports.map((port) => `http://127.0.0.1:${port}`) })
    expect(said.match(/nothing listens there/g)).toHaveLength(1)
  })
})

describe('a watch that has lost etcd', () => {
  test('tells what each attempt to come back has failed with', async () => {
    const cluster = await EtcdCluster.start()
    onTestFinished(() => cluster.close())
    const store = openStore({ endpoints: cluster.endpoints })
    onTestFinished(() => {
      store.close()
    })
    const log = new WatchLog(store, await store.list(signal))
    await expect.poll(() => log.connection, DEADLINE).toEqual(['up'])
    await cluster.member.stop()
    await expect.poll(() => log.losses.length, DEADLINE).toBe(1)
    await expect.poll(() => log.stillAway.at(-1), DEADLINE).toMatchObject({ root: 'ECONNREFUSED' })
    const { clientPort } = cluster.member.place
    const other = answering(404, '').listen(clientPort, '127.0.0.1')
    onTestFinished(() => {
      other.close()
    })
    await expect.poll(() => log.stillAway.at(-1), DEADLINE).toMatchObject({ root: 'HTTP/1' })
    expect(log.losses).toHaveLength(1)
    log.abort()
  })
})
