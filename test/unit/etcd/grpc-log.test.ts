import { once } from 'node:events'
import { createServer, type Http2Server } from 'node:http2'

import { setLogger } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi, type MockInstance } from 'vitest'

import { hearGrpc } from '../../../src/etcd/grpc-log.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { openStore } from '../../etcd/etcd-harness.ts'

/** Answers with a header that gRPC complains about, which no gRPC server would send. */
async function serveOddHeaders(value: string): Promise<string> {
  const server: Http2Server = createServer()
  server.on('stream', (stream) => {
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'x-odd': value, 'grpc-status': '13' },
      { endStream: true },
    )
  })
  server.on('session', (session) => {
    onTestFinished(() => {
      session.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

describe('what gRPC has to say', () => {
  let lines: string[]
  let clock: FakeClock
  let onStandardError: MockInstance
  beforeEach(() => {
    lines = []
    clock = new FakeClock()
    const say = (level: string) => (message: string) => lines.push(`${level} ${message}`)
    hearGrpc({ error: say('error'), debug: say('debug') }, clock)
    onStandardError = vi.spyOn(console, 'error')
  })
  afterEach(() => {
    setLogger({})
    vi.restoreAllMocks()
  })

  async function provoke(value: string, times = 1): Promise<void> {
    const store = openStore({ endpoints: [await serveOddHeaders(value)] })
    for (let time = 0; time < times; time++)
      await expect(store.readConfig(new AbortController().signal)).rejects.toMatchObject({ code: 'INTERNAL' })
    store.close()
  }

  test('goes to whoever hears it, and not onto standard error', async () => {
    await provoke('\u00fc')
    expect(lines).toEqual([expect.stringMatching(/^error Failed to add metadata entry x-odd/)])
    expect(onStandardError).not.toHaveBeenCalled()
  })

  test('is a few lines a minute at most, and no long ones, whatever comes', async () => {
    await provoke('\u00fc'.repeat(5_000), 10)
    expect(lines).toHaveLength(3)
    for (const line of lines) expect(line.length).toBeLessThan(520)
    await clock.advance(60_000)
    await provoke('\u00fc')
    expect(lines).toHaveLength(4)
  })
})
