import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { json, type Answer, type Route } from '../../../src/http/answer.ts'
import { HttpServer } from '../../../src/http/server.ts'
import { waitFor } from '../../lab/wait-for.ts'

const servers: HttpServer[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function serve(routes: Readonly<Record<string, Route>>, deadlineMs = 5_000): Promise<string> {
  const made = new HttpServer({ routes: new Map(Object.entries(routes)), deadlineMs })
  servers.push(made)
  made.server.listen(0, '127.0.0.1')
  await once(made.server, 'listening')
  const address = made.server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`
}

const hello: Route = { respond: () => json({ hello: true }) }

/** Says that it wants this, and reads nothing of what comes. */
async function askAndNeverRead(url: string, path: string): Promise<Socket> {
  const { port, hostname } = new URL(url)
  const socket = connect(Number(port), hostname).on('error', () => undefined)
  await once(socket, 'connect')
  socket.pause().write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
  return socket
}

/** So many pieces of 16 KiB: how many were made, and whether nobody will make more. */
function pieces(most: number): { readonly route: Route; readonly made: () => number; readonly isOver: () => boolean } {
  let [made, isOver] = [0, false]
  const body = function* (): Generator<string> {
    try {
      for (; made < most; made++) yield 'x'.repeat(16_384)
    } finally {
      isOver = true
    }
  }
  return {
    route: { respond: (): Answer => ({ status: 200, body: body() }) },
    made: () => made,
    isOver: () => isOver,
  }
}

describe('a server of bounded answers', () => {
  test('names its paths to whoever asks for another, and its method', async () => {
    const url = await serve({ '/a': hello, '/b': { ...hello, method: 'POST' } })
    expect(await (await fetch(`${url}/c`)).json()).toEqual({ error: 'there are /a, /b' })
    const wrong = await fetch(`${url}/b`)
    expect([wrong.status, wrong.headers.get('allow'), await wrong.json()]).toEqual([
      405,
      'POST',
      { error: 'ask with POST' },
    ])
    expect((await fetch(`${url}/b`, { method: 'POST', body: 'x'.repeat(100_000) })).status).toBe(200)
    const head = await fetch(`${url}/a?x=1`, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
  })

  test('says what went wrong where an answer cannot be made, and goes on', async () => {
    const broken = (): Answer => {
      throw new TypeError('no such thing')
    }
    const half = function* (): Generator<string> {
      yield '{'
      throw new TypeError('half way')
    }
    const url = await serve({
      '/broken': { respond: broken },
      '/rejects': { respond: () => Promise.reject(new Error('later')) },
      '/half': { respond: () => ({ status: 200, body: half() }) },
      '/a': hello,
    })
    const answer = await fetch(`${url}/broken`)
    expect([answer.status, await answer.json()]).toEqual([500, { error: 'no such thing' }])
    expect((await fetch(`${url}/rejects`)).status).toBe(500)
    await expect(fetch(`${url}/half`).then((one) => one.text())).rejects.toThrow()
    expect((await fetch(`${url}/a`)).status).toBe(200)
  })

  test('makes pieces as they are read: all for who reads, few for who does not, who is hung up on', async () => {
    const [read, unread] = [pieces(1_000), pieces(100_000)]
    const url = await serve({ '/read': read.route, '/unread': unread.route }, 300)
    expect((await (await fetch(`${url}/read`)).text()).length).toBe(1_000 * 16_384)
    const sleeper = await askAndNeverRead(url, '/unread')
    await waitFor('it to be given up', () => unread.isOver())
    sleeper.resume()
    if (!sleeper.closed) await new Promise((resolve) => sleeper.once('close', resolve))
    expect(unread.made()).toBeLessThan(2_000) // what the kernel keeps for both ends, and no gigabyte
  })

  test('tells who makes an answer that nobody waits for it any more', async () => {
    let [hasCome, gone] = [false, false]
    const respond = async ({ signal }: { readonly signal: AbortSignal }): Promise<Answer> => {
      hasCome = true
      await once(signal, 'abort')
      gone = true
      return json({})
    }
    const asked = request(`${await serve({ '/slow': { respond } })}/slow`).on('error', () => undefined)
    asked.end()
    await waitFor('the question', () => hasCome)
    asked.destroy()
    await waitFor('it to be told', () => gone)
  })

  test('lets sixteen listen without end, tells the next, and lets one in when one has gone', async () => {
    const endless = async function* (): AsyncGenerator<string> {
      for (;;) {
        yield ':\n'
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    const url = await serve({ '/stream': { respond: () => ({ status: 200, body: endless(), isEndless: true }) } })
    const listen = async (): Promise<IncomingMessage> => {
      const asked = request(`${url}/stream`).end()
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]
      return answer.on('error', () => undefined).resume()
    }
    const listeners = await Promise.all(Array.from({ length: 16 }, listen))
    expect(listeners.map(({ statusCode }) => statusCode)).toEqual(Array(16).fill(200))
    expect((await listen()).statusCode).toBe(503)
    listeners[0]?.destroy()
    await waitFor('a place', async () => {
      const one = await listen()
      return one.statusCode === 200
    })
  })

  test('does not count time that it takes itself against whoever waits', async () => {
    const respond = async (): Promise<Answer> => {
      await new Promise((resolve) => setTimeout(resolve, 400))
      return json({ late: true })
    }
    expect(await (await fetch(`${await serve({ '/late': { respond } }, 100)}/late`)).json()).toEqual({ late: true })
  })
})
