import { once } from 'node:events'
import { createServer, connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HealthServer } from '../../../src/observe/health-server.ts'
import { waitFor } from '../../lab/wait-for.ts'

let server: HealthServer
/** What is told of its address: why it cannot be had, or that it is. */
let told: string[]
let isWell: boolean

beforeEach(() => {
  told = []
  isWell = true
})

afterEach(() => {
  server.close()
})

async function serve(port = 0, deadlineMs = 5_000, address = '127.0.0.1'): Promise<string> {
  const answer = () => ({ ok: isWell, body: { well: isWell } })
  const health = { liveness: answer, readiness: answer }
  const heard = told
  const onListening = (): void => {
    heard.push('listens')
  }
  const onFailure = (reason: string): void => {
    heard.push(reason)
  }
  server = new HealthServer({ ip: address, port, health, onListening, onFailure, retryMs: 20, deadlineMs })
  return `http://127.0.0.1:${await waitFor('the server to listen', () => server.port)}`
}

describe('the health endpoint', () => {
  test.each(['/healthz', '/readyz', '/readyz?verbose'])('answers %s with 200 or 503 and why', async (path) => {
    const url = await serve()
    const well = await fetch(url + path)
    expect([well.status, await well.json()]).toEqual([200, { well: true }])
    isWell = false
    const ill = await fetch(url + path)
    expect([ill.status, await ill.json()]).toEqual([503, { well: false }])
  })

  test('knows no other path and no other method', async () => {
    const url = await serve()
    for (const path of ['/', '/healthz/', '/metrics', '/%2e%2e/etc/passwd'])
      expect((await fetch(url + path)).status).toBe(404)
    for (const method of ['POST', 'DELETE', 'OPTIONS'])
      expect((await fetch(`${url}/readyz`, { method })).status).toBe(405)
    const head = await fetch(`${url}/readyz`, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
  })

  test('refuses a header without end', async () => {
    const url = await serve()
    expect((await fetch(`${url}/healthz`, { headers: { long: 'x'.repeat(20_000) } })).status).toBe(431)
  })

  test('hangs up on who says nothing, and answers again when all places were taken', async () => {
    const url = await serve(0, 200)
    const { port } = new URL(url)
    const closed: Promise<void>[] = []
    for (let at = 0; at < 100; at++) {
      const idler = connect(Number(port), '127.0.0.1').on('error', () => undefined)
      closed.push(
        new Promise((resolve) => {
          idler.on('close', () => {
            resolve()
          })
        }),
      )
      // one by one: of a backlog that overflows, the kernel tells nobody who says nothing, for ever
      await once(idler, 'connect')
    }
    await Promise.all(closed)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
  })

  test('hangs up on who never comes to the end of a request', async () => {
    const { port } = new URL(await serve(0, 200))
    const slow = connect(Number(port), '127.0.0.1').on('error', () => undefined)
    slow.write('GET /healthz HTTP/1.1\r\n')
    const dribble = setInterval(() => slow.write('a: b\r\n'), 20)
    // with octets on their way, the kernel resets the connection: either way it is over
    await new Promise((resolve) => slow.resume().once('close', resolve))
    clearInterval(dribble)
  })

  test('answers while others hold all places and say nothing', async () => {
    const url = await serve()
    const { port } = new URL(url)
    const idlers = Array.from({ length: 100 }, () => connect(Number(port), '127.0.0.1').on('error', () => undefined))
    await Promise.all(idlers.map((idler) => once(idler, 'connect')))
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    for (const idler of idlers) idler.destroy()
  })
})

describe('an address that is not to be had', () => {
  test.each([
    ['192.0.2.1', /^cannot listen on 192\.0\.2\.1 port 0: no interface has this address/],
    ['fe80::1', /^cannot listen on fe80::1 port 0: .*EINVAL/],
  ])('is told with the reason: %s', async (address, reason) => {
    void serve(0, 5_000, address).catch(() => undefined)
    await waitFor('the complaint', () => told.length > 0)
    expect(told[0]).toMatch(reason)
  })

  test('is tried no more once the server is closed', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    void serve(port).catch(() => undefined)
    await waitFor('the complaint', () => told.length > 0)
    const [closed, toldClosed] = [server, told]
    told = []
    const serving = serve(port) // whose turn comes after that of the one that is closed
    await waitFor('the complaint of the next', () => told.length > 0)
    closed.close()
    const { length } = toldClosed
    other.close()
    await serving
    expect(toldClosed).toHaveLength(length)
    expect(closed.port).toBeUndefined()
  })

  test('is told with its cure, and taken as soon as it is free', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    const serving = serve(port)
    await waitFor('the complaint', () => told.length > 0)
    const cure = 'another program listens there: end it, or choose another --healthz-port'
    const complaint = `cannot listen on 127.0.0.1 port ${port}: ${cure}`
    expect(new Set(told)).toEqual(new Set([complaint]))
    other.close()
    expect((await fetch(`${await serving}/healthz`)).status).toBe(200)
    expect(told.at(-1)).toBe('listens')
    expect(new Set(told)).toEqual(new Set([complaint, 'listens']))
  })
})
