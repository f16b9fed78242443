import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import type { Answer, Question } from '../../../src/http/answer.ts'
import { pageServerRoutes } from '../../../src/page/page-server.ts'
import { fakeStatusServer, type FakeAnswer, type FakeStatusServer } from '../../fake/fake-status-server.ts'

const KEY = 'a-key-that-nobody-guesses'

let agent: FakeStatusServer | undefined
afterEach(() => agent?.close())

/** Asks the server of the page, behind which is an agent with these answers. */
async function ask(
  path: string,
  answers: Readonly<Record<string, FakeAnswer>>,
  { authorization = `Bearer ${KEY}`, accept = 'application/json' } = {},
): Promise<Answer & { readonly text: string }> {
  await agent?.close()
  agent = await fakeStatusServer(answers)
  const upstreams = [{ name: 'host-one', where: { socketPath: agent.socket } }]
  const [bare = '', query = ''] = path.split('?')
  const headers: Readonly<Record<string, string>> = { authorization, accept }
  const question: Question = {
    ...{ method: 'GET', path: bare, query: new URLSearchParams(query) },
    header: (name) => headers[name],
    signal: AbortSignal.timeout(10_000),
  }
  const answer = await pageServerRoutes({ key: KEY, upstreams }).get(bare)?.respond(question)
  if (answer === undefined) throw new Error(`no route ${bare}`)
  let text = ''
  if (typeof answer.body === 'string') text = answer.body
  else for await (const piece of answer.body) text += piece
  return { ...answer, text }
}

describe('the server of the page', () => {
  it.each(['', 'Bearer', 'Bearer another', `bearer ${KEY}`, `Bearer ${KEY} `])(
    'tells nothing to whoever has not the key, but %j',
    async (authorization) => {
      const answers = { '/v1/status': { version: 1 } }
      for (const path of ['/n/0/v1/status', '/n/0/v1/events', '/nodes', '/v1/status'])
        expect(await ask(path, answers, { authorization })).toMatchObject({ status: 401 })
      expect(agent?.asked).toEqual([])
    },
  )

  it('says whom it asks, and passes on what they say', async () => {
    expect(JSON.parse((await ask('/nodes', {})).text)).toEqual({ nodes: [{ name: 'host-one', path: 'n/0/' }] })
    const answer = await ask('/n/0/v1/peers', { '/v1/peers': { version: 1, peers: [] } })
    expect(answer).toMatchObject({ status: 200, type: 'application/json', text: '{"version":1,"peers":[]}' })
  })

  it('has nothing that changes anything, and no way to any other place', () => {
    const paths = [...pageServerRoutes({ key: KEY, upstreams: [] }).entries()]
    expect(paths.every(([, { method = 'GET' }]) => method === 'GET')).toBe(true)
    expect(paths.map(([path]) => path)).not.toContain('/v1/probe')
  })

  it('passes on no question but which events are wanted', async () => {
    const answers = { '/v1/peers': { version: 1 }, '/v1/events': { version: 1 } }
    await ask('/n/0/v1/peers?of=x&reach=unreachable', answers)
    expect(agent?.asked).toEqual(['GET /v1/peers'])
    for (const [after, asked] of [
      ['17', 'GET /v1/events?after=17'],
      ['1%0d%0aX:y', 'GET /v1/events'],
    ] as const) {
      // prettier-ignore
      await agent?.close()
      await ask(`/n/0/v1/events?after=${after}`, answers, { accept: 'text/event-stream' })
      expect(agent?.asked).toEqual([asked])
    }
  })

  it('takes what another host sends for JSON, whatever it calls it, and is led nowhere', async () => {
    const html = (_: IncomingMessage, response: ServerResponse): void => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<script>alert(1)</script>')
    }
    expect(await ask('/n/0/v1/status', { '/v1/status': html })).toMatchObject({ type: 'application/json' })
    await agent?.close()
    const elsewhere = (_: IncomingMessage, response: ServerResponse): void => {
      response.writeHead(302, { location: 'http://192.0.2.1/' }).end()
    }
    const answer = await ask('/n/0/v1/status', { '/v1/status': elsewhere })
    expect(answer).toMatchObject({ status: 502 })
    expect(answer.headers?.['location']).toBeUndefined()
  })

  it('says that an agent does not answer', async () => {
    const hangUp = (request: IncomingMessage): void => {
      request.socket.destroy()
    }
    const answer = await ask('/n/0/v1/status', { '/v1/status': hangUp })
    expect(answer).toMatchObject({ status: 503 })
    expect(answer.text).toMatch(/^\{"error":"host-one: /)
  })
})
