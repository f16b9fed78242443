import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/host/system-clock.ts'
import { CredentialFiles } from '../../../src/kube/client/credentials.ts'
import { KubeClient } from '../../../src/kube/client/kube-client.ts'
import { KubeNodeStore } from '../../../src/kube/kube-node-store.ts'
import type { NodeWatchEvent } from '../../../src/kube/nodes/node-store.ts'
import { linesOf, readWatchLine } from '../../../src/kube/read-watch.ts'
import { FakeApiServer } from '../../fake/kube/fake-api-server.ts'
import { waitFor } from '../../lab/wait-for.ts'

/** In milliseconds. */
const SILENCE_MS = 300

let api: FakeApiServer
let store: KubeNodeStore
let stop: AbortController
let events: NodeWatchEvent[]
let connections: string[]
let watching: Promise<void>

beforeEach(async () => {
  api = await new FakeApiServer().start()
  for (const name of ['a', 'b']) api.nodes.put(name, { podCIDRs: ['10.244.1.0/24'] })
  const clock = systemClock
  const client = new KubeClient({
    clock,
    credentials: new CredentialFiles({ access: { apiUrl: api.url }, environment: {}, clock }),
  })
  store = new KubeNodeStore({ client, clock, random: () => 0, annotationPrefix: 'f/', silenceMs: SILENCE_MS })
  ;[stop, events, connections] = [new AbortController(), [], []]
})

afterEach(async () => {
  stop.abort()
  await watching
  store.close()
  await api.stop()
})

async function follow(): Promise<void> {
  const { resourceVersion } = await store.list(stop.signal)
  const status = {
    onConnected: () => connections.push('up'),
    onDisconnected: () => connections.push('down'),
  }
  const run = async (): Promise<void> => {
    for await (const event of store.watch(resourceVersion, stop.signal, status)) events.push(event)
  }
  watching = run()
  await waitFor('a watch', () => api.watches === 1)
}

const watches = (): number => api.requests.filter(({ verb }) => verb === 'watch').length

const changed = (): readonly string[] =>
  events.flatMap((event) => (event.kind === 'changes' ? event.changes.map(({ node }) => node.name) : []))

describe('a watch', () => {
  it('that has gone silent is opened anew, and what it did not tell comes', async () => {
    api.faults = { silentWatches: true }
    await follow()
    api.nodes.patch('a', {})
    api.faults = {}
    await waitFor('the change', () => changed().includes('a'))
    expect(connections).not.toContain('down')
  })

  it('that hears something now and then is left as it is', async () => {
    await follow()
    const gapsMs: number[] = []
    for (let times = 0; times < 5; times++) {
      const fromMs = performance.now()
      api.bookmark()
      await systemClock.sleep(SILENCE_MS / 3, stop.signal)
      gapsMs.push(performance.now() - fromMs)
    }
    // where the machine stood still for that long, nothing can be told
    if (Math.max(...gapsMs) < SILENCE_MS / 2) expect(watches()).toBe(1)
  })

  it('goes on from a bookmark, though what was before it is forgotten', async () => {
    await follow()
    api.nodes.advance()
    api.nodes.compact()
    api.bookmark()
    api.endWatches()
    await waitFor('the next', () => watches() === 2)
    api.nodes.patch('a', { metadata: { annotations: { 'f/public-ip': '192.0.2.1' } } })
    await waitFor('what came after it', () => changed().includes('a'))
    expect(events.map(({ kind }) => kind)).toEqual(['changes'])
    expect(connections).not.toContain('down')
  })

  it('that breaks is said to be down, and up again', async () => {
    await follow()
    api.cut()
    await waitFor('the next', () => connections.length === 3)
    expect(connections).toEqual(['up', 'down', 'up'])
  })

  it('whose history is gone ends', async () => {
    await follow()
    api.cut()
    api.nodes.patch('a', {})
    api.nodes.patch('a', {})
    api.nodes.compact()
    await watching
    expect(events.at(-1)).toMatchObject({ kind: 'expired', wasReset: false })
  })

  it('of an API server that was restored behind it ends, once it was silent', async () => {
    const backup = api.nodes.backup()
    for (let times = 0; times < 3; times++) api.nodes.patch('a', {})
    await follow()
    api.nodes.restore(backup)
    await watching
    expect(events.at(-1)).toMatchObject({ kind: 'expired', wasReset: true })
  })

  it('that ends at once again and again is opened ever more slowly', async () => {
    api.faults = { endsWatches: true }
    const { resourceVersion } = await store.list(stop.signal)
    const run = async (): Promise<void> => {
      for await (const event of store.watch(resourceVersion, stop.signal)) events.push(event)
    }
    const fromMs = performance.now()
    watching = run()
    await waitFor('four of them', () => watches() === 4)
    // 100, 200 and 400 ms, less a jitter of 40 %
    expect(performance.now() - fromMs).toBeGreaterThan(400)
  })
})

const line = (object: object): Buffer => Buffer.from(JSON.stringify(object))

describe('readWatchLine', () => {
  const metadata = {
    name: 'a',
    uid: 'u',
    resourceVersion: '7',
    annotations: { 'f/public-ip': '192.0.2.1', x: ',"status":{' },
  }
  const spec = { podCIDR: '10.244.1.0/24' }

  it('reads the same with and without a status, in whatever order, and with one in a text', () => {
    const whole = { type: 'MODIFIED', object: { kind: 'Node', metadata, spec, status: { images: [{ names: ['a'] }] } } }
    const read = readWatchLine(line(whole), 'f/')
    expect(read).toMatchObject({
      kind: 'put',
      node: { name: 'a', podCidrs: ['10.244.1.0/24'], annotations: { 'public-ip': '192.0.2.1' } },
    })
    const { status, ...rest } = whole.object
    expect(readWatchLine(line({ type: 'MODIFIED', object: rest }), 'f/')).toEqual(read)
    expect(readWatchLine(line({ object: { status, ...rest }, type: 'MODIFIED' }), 'f/')).toEqual(read)
    expect(readWatchLine(line({ type: 'MODIFIED', object: { metadata, status, spec } }), 'f/')).toEqual(read)
  })

  it.each([
    '',
    '{',
    '[]',
    'null',
    '{"type":"ADDED"}',
    '{"type":"ADDED","object":{}}',
    '{"type":"NEW","object":{"metadata":{"name":"a"}}}',
  ])('says that %j is none', (text) => {
    expect(readWatchLine(Buffer.from(text), 'f/')).toBeUndefined()
  })
})

describe('linesOf', () => {
  it('puts lines together that come in pieces, and leaves out what has no end', async () => {
    const pieces = ['a', 'b\nc\n\nd', '', 'e', '\n', 'rest'].map((text) => Buffer.from(text))
    const lines: string[] = []
    for await (const some of linesOf(Readable.from(pieces))) lines.push(...some.map(String))
    expect(lines).toEqual(['ab', 'c', '', 'de'])
  })
})
