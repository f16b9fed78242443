import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { ask, askText } from '../../../src/status/client/ask.ts'
import { isThisNode } from '../../../src/commands/asking/this-node.ts'
import { followOn } from '../../../src/status/client/follow-on.ts'
import { follow } from '../../../src/status/client/follow.ts'
import type { StatusDocument, StatusEvent } from '../../../src/status/document.ts'
import { fakeStatusServer, type FakeAnswer, type FakeStatusServer } from '../../fake/fake-status-server.ts'
import { sampleEvent, samplePeer, sampleStatus } from '../../fake/status-samples.ts'

const opened: FakeStatusServer[] = []
const raw: Server[] = []

async function serve(answers: Readonly<Record<string, FakeAnswer>>): Promise<FakeStatusServer> {
  const server = await fakeStatusServer(answers)
  opened.push(server)
  return server
}

afterEach(async () => {
  for (const server of raw.splice(0)) server.close()
  await Promise.all(opened.splice(0).map((server) => server.close()))
})

describe('the node that is asked itself', () => {
  const status = sampleStatus([samplePeer(1)])

  it.each(['host-zero', 'HOST-ZERO', '4f1a', '192.168.9.9', '10.15.0.0/20', '10.15.0.0', '10.15.0.7', '10.15.0.0/24'])(
    'is meant by %s',
    (word) => {
      expect(isThisNode(status, word)).toBe(true)
    },
  )

  it.each(['host-1', '192.168.0.1', '10.15.16.0/20', '10.15.16.9', '10.0.0.0/8', 'nobody'])(
    'is not meant by %s',
    (word) => {
      expect(isThisNode(status, word)).toBe(false)
    },
  )
})

describe('an agent that is asked', () => {
  it('answers with its document', async () => {
    const { socket, asked } = await serve({ '/v1/status': sampleStatus([]) })
    expect(await ask<StatusDocument>('/v1/status', { socket })).toEqual(sampleStatus([]))
    expect(asked).toEqual(['GET /v1/status'])
  })

  it('says in words what it does not answer', async () => {
    const { socket } = await serve({})
    await expect(ask('/v1/x', { socket })).rejects.toMatchObject({
      name: 'AgentAnswerError',
      status: 404,
      message: 'the agent says: no such path',
    })
  })

  it.each([
    ['a newer version', { version: 2 }, 'the agent speaks version 2 of its status, and this program version 1'],
    ['something else', ['x'], 'what answers at the socket is no agent'],
  ])('with %s is not believed', async (_, answer, message) => {
    const { socket } = await serve({ '/v1/status': answer })
    await expect(ask('/v1/status', { socket })).rejects.toThrow(message)
  })

  it('and says nothing is not waited for without end', async () => {
    const { socket } = await serve({ '/v1/status': () => undefined })
    await expect(ask('/v1/status', { socket, withinMs: 20 })).rejects.toMatchObject({ why: 'silent' })
  })

  it('and stops in the middle is not waited for either', async () => {
    const { socket } = await serve({
      '/v1/status': (_, response) => {
        response.writeHead(200).write('{"version"')
      },
    })
    await expect(askText('/v1/status', { socket, withinMs: 20 })).rejects.toMatchObject({ why: 'silent' })
  })

  it('and ends meanwhile is told', async () => {
    const { socket } = await serve({
      '/v1/status': (_, response) => {
        response.writeHead(200, { 'content-length': '100' }).write('{')
        response.destroy()
      },
    })
    await expect(ask('/v1/status', { socket })).rejects.toMatchObject({ name: 'AgentAwayError' })
  })
})

describe('where no agent answers', () => {
  it('it is said why: nothing there, a file, nobody behind it, or no HTTP', async () => {
    const { socket } = await serve({})
    const folder = dirname(socket)
    const at = (name: string): string => join(folder, name)
    writeFileSync(at('file'), '')
    const other = createServer((connection) => connection.end('SSH-2.0\r\n')).listen(at('other'))
    raw.push(other)
    await expect(ask('/v1/status', { socket: at('none') })).rejects.toMatchObject({
      why: 'absent',
      message: `${at('none')} is not there`,
    })
    await expect(ask('/v1/status', { socket: at('file') })).rejects.toMatchObject({ why: 'refused' })
    await expect(ask('/v1/status', { socket: at('other') })).rejects.toMatchObject({ why: 'strange' })
  })
})

describe('events', () => {
  const blockOf = (event: StatusEvent): string => `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`

  it('come one by one, however they are cut into pieces, until the agent ends', async () => {
    const text = `: hello\n\n${blockOf(sampleEvent(7))}data: {broken\n\n${blockOf(sampleEvent(8)).replaceAll('\n', '\r\n')}`
    const { socket, asked } = await serve({
      '/v1/events': (request, response) => {
        expect(request.headers).toMatchObject({ accept: 'text/event-stream', 'last-event-id': '6' })
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        for (const octet of text) response.write(octet)
        response.end()
      },
    })
    const seen: number[] = []
    for await (const { id } of follow({ socket, since: 6 })) seen.push(id)
    expect(seen).toEqual([7, 8])
    expect(asked).toHaveLength(1)
  })

  it('end where the agent is killed', async () => {
    const { socket } = await serve({
      '/v1/events': (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(`data: ${JSON.stringify(sampleEvent(1))}\n\n`, () => response.destroy())
      },
    })
    const seen: number[] = []
    for await (const { id } of follow({ socket, since: 0 })) seen.push(id)
    expect(seen).toEqual([1])
  })

  it('that an agent does not send are told', async () => {
    const { socket } = await serve({ '/v1/events': { version: 1, events: [] } })
    await expect(follow({ socket, since: 0 }).next()).rejects.toThrow('the agent sends no events (200)')
  })

  /** Agents one after the other at one socket: each has said its events, and is away for one question before the next comes. */
  function agentsInTurn(lives: readonly (readonly number[])[]): Record<string, FakeAnswer> {
    let life = 0
    let isAway = false
    return {
      '/v1/status': (_, response) => {
        const { node, ...status } = sampleStatus([])
        if (isAway) response.destroy()
        else response.end(JSON.stringify({ ...status, node: { ...node, instance: `life ${life}` } }))
        isAway = false
      },
      '/v1/events': (request, response) => {
        const seen = Number(request.headers['last-event-id'])
        const ids = (lives[life] ?? []).filter((id) => id > seen)
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.end(ids.map((id) => blockOf(sampleEvent(id))).join(''))
        if (life < lives.length - 1) life++
        isAway = true
      },
    }
  }

  it('go on with the next agent from its first, and with the same one where it broke off', async () => {
    const { socket } = await serve(
      agentsInTurn([
        [4, 5, 6],
        [1, 2],
        [1, 2, 3],
      ]),
    )
    const stop = new AbortController()
    const said: string[] = []
    const seen: number[] = []
    const say = (text: string): unknown => said.push(text)
    for await (const { id } of followOn({ socket, since: 4, signal: stop.signal, say, againMs: 1 })) {
      seen.push(id)
      if (seen.length === 7) stop.abort()
    }
    expect(seen).toEqual([5, 6, 1, 2, 1, 2, 3])
    expect(said.slice(0, 2)).toEqual(['the agent has ended: waiting for the next', 'an agent answers again'])
  })

  it('of an agent that is not there are not waited for', async () => {
    const server = await serve({})
    await server.close()
    const { socket } = server
    const { signal } = new AbortController()
    const events = followOn({ socket, since: 0, signal, say: () => undefined })
    await expect(events.next()).rejects.toMatchObject({ why: 'absent' })
  })
})
