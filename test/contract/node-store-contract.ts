import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { NodeChange, NodeStore } from '../../src/kube/nodes/node-store.ts'
import { waitFor } from '../lab/wait-for.ts'

export const ANNOTATION_PREFIX = 'flannel.alpha.coreos.com/'

/** An API server, and a store over it. */
export interface NodeStoreHarness {
  readonly store: NodeStore
  readonly url: string
  /** Of whoever may do everything. */
  readonly token?: string
  readonly ca?: Buffer
  close(): Promise<void>
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

/** Asks an API server as kubectl and others do, whether it is real or not. @returns the status of HTTP */
export function askApi(
  { url, token, ca }: Pick<NodeStoreHarness, 'url' | 'token' | 'ca'>,
  method: Method,
  path: string,
  body?: object,
): Promise<number> {
  const type = method === 'PATCH' ? 'application/strategic-merge-patch+json' : 'application/json'
  const headers = { 'content-type': type, ...(token !== undefined && { authorization: `Bearer ${token}` }) }
  const options = { method, headers, agent: false } as const
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:')
      ? requestHttps(url + path, { ...options, ...(ca && { ca }) })
      : requestHttp(url + path, options)
    request.on('response', (response) => {
      response.resume().on('end', () => {
        resolve(response.statusCode ?? 0)
      })
    })
    request.on('error', reject)
    request.end(body && JSON.stringify(body))
  })
}

/** What the subnet manager counts on, whoever keeps the Nodes. The cases follow each other on one API server. */
export function nodeStoreContract(name: string, open: () => Promise<NodeStoreHarness>): void {
  describe(`node store contract: ${name}`, () => {
    let harness: NodeStoreHarness
    let stop: AbortController
    let seen: NodeChange[]
    let endings: string[]
    let beats = 0

    beforeAll(async () => {
      harness = await open()
      for (let number = 1; number <= 5; number++)
        await add(`n${number}`, [`10.244.${number}.0/24`, `fd00:244:0:${number}::/64`])
    })
    afterEach(() => {
      stop.abort()
    })
    afterAll(async () => {
      await harness.close()
    })

    const ask = async (method: Method, path: string, body?: object): Promise<void> => {
      expect([path, Math.floor((await askApi(harness, method, path, body)) / 100)]).toEqual([path, 2])
    }
    const add = (node: string, podCIDRs: readonly string[], annotations = {}): Promise<void> => {
      const spec = { podCIDR: podCIDRs[0], podCIDRs }
      const metadata = { name: node, annotations: { 'example.com/kept': 'yes', ...annotations } }
      return ask('POST', '/api/v1/nodes', {
        apiVersion: 'v1',
        kind: 'Node',
        metadata,
        ...(podCIDRs.length > 0 && { spec }),
      })
    }
    const annotate = (node: string, annotations: object): Promise<void> =>
      ask('PATCH', `/api/v1/nodes/${node}`, { metadata: { annotations } })
    const beat = (node: string): Promise<void> => {
      // times have whole seconds there, and what changes nothing is no change
      const conditions = [{ type: 'Ready', status: 'True', message: String(++beats) }]
      return ask('PATCH', `/api/v1/nodes/${node}/status`, { status: { conditions } })
    }
    const signal = (): AbortSignal => (stop = new AbortController()).signal

    /** Watches on from a list. */
    async function follow(): Promise<void> {
      ;[seen, endings] = [[], []]
      const until = signal()
      const { resourceVersion } = await harness.store.list(until)
      const run = async (): Promise<void> => {
        for await (const event of harness.store.watch(resourceVersion, until))
          if (event.kind === 'changes') seen.push(...event.changes)
          else endings.push(event.reason)
      }
      void run()
    }
    const last = (node: string): NodeChange | undefined => seen.findLast((change) => change.node.name === node)

    test('a list has all Nodes, over its pages, with what matters of them', async () => {
      const { nodes, resourceVersion } = await harness.store.list(signal())
      expect(nodes.map((node) => node.name)).toEqual(['n1', 'n2', 'n3', 'n4', 'n5'])
      expect(nodes[2]).toMatchObject({ podCidrs: ['10.244.3.0/24', 'fd00:244:0:3::/64'], annotations: {} })
      expect(nodes[2]?.uid).not.toBe('')
      expect(Math.abs(Date.now() - (nodes[2]?.createdMs ?? 0))).toBeLessThan(600_000)
      expect(resourceVersion).toMatch(/^\d+$/)
    })

    test('a Node that does not exist is none, and neither is it written to', async () => {
      expect(await harness.store.read('nobody', signal())).toBeUndefined()
      expect(
        await harness.store.patch('nobody', { annotations: { 'public-ip': '192.0.2.1' } }, signal()),
      ).toBeUndefined()
      expect(await harness.store.nodeOfPod('default', 'nobody', signal())).toBeUndefined()
    })

    test('annotations are written and taken away, and those of others stay', async () => {
      const written = await harness.store.patch(
        'n1',
        { annotations: { 'kube-subnet-manager': 'true', 'public-ip': '192.0.2.1', 'backend-data': '{"VNI":1}' } },
        signal(),
      )
      expect(written?.annotations).toEqual({
        'kube-subnet-manager': 'true',
        'public-ip': '192.0.2.1',
        'backend-data': '{"VNI":1}',
      })
      await harness.store.patch('n1', { annotations: { 'backend-data': null } }, signal())
      const found = await harness.store.read('n1', signal())
      expect(found).toMatchObject({
        annotations: { 'public-ip': '192.0.2.1' },
        podCidrs: ['10.244.1.0/24', 'fd00:244:0:1::/64'],
      })
      expect(found?.annotations['backend-data']).toBeUndefined()
    })

    test('the condition NetworkUnavailable is set beside those that there are', async () => {
      await beat('n1')
      expect(await harness.store.read('n1', signal())).toMatchObject({ isNetworkAvailable: false })
      const written = await harness.store.patch('n1', { networkAvailableSinceMs: Date.now() }, signal())
      expect(written).toMatchObject({ isNetworkAvailable: true, annotations: { 'public-ip': '192.0.2.1' } })
      await beat('n1')
      expect(await harness.store.read('n1', signal())).toMatchObject({ isNetworkAvailable: true })
    })

    test('a watch tells of every change after its list', async () => {
      await follow()
      await add('new', [])
      await annotate('n2', { [`${ANNOTATION_PREFIX}public-ip`]: '192.0.2.2', 'example.com/kept': null })
      await ask('PATCH', '/api/v1/nodes/new', { spec: { podCIDR: '10.244.9.0/24', podCIDRs: ['10.244.9.0/24'] } })
      await ask('DELETE', '/api/v1/nodes/n5')
      await waitFor('the last', () => last('n5')?.kind === 'deleted')
      expect(last('n2')?.node).toMatchObject({
        annotations: { 'public-ip': '192.0.2.2' },
        podCidrs: ['10.244.2.0/24', 'fd00:244:0:2::/64'],
      })
      expect(last('new')).toMatchObject({ kind: 'put', node: { podCidrs: ['10.244.9.0/24'] } })
      expect(endings).toEqual([])
    })

    test('a heartbeat leaves a Node as it is, with its podCIDRs', async () => {
      await follow()
      await beat('n3')
      await beat('n3')
      await waitFor('the heartbeats', () => seen.length === 2)
      expect(seen[1]?.node).toMatchObject({ podCidrs: ['10.244.3.0/24', 'fd00:244:0:3::/64'], annotations: {} })
    })

    test('a Node that was made again is another one', async () => {
      await follow()
      const before = await harness.store.read('n4', stop.signal)
      await ask('DELETE', '/api/v1/nodes/n4')
      await add('n4', ['10.244.44.0/24'])
      await waitFor('the new one', () => last('n4')?.kind === 'put')
      expect(last('n4')?.node).toMatchObject({ podCidrs: ['10.244.44.0/24'] })
      expect(last('n4')?.node.uid).not.toBe(before?.uid)
    })

    test('new connections take the place of dead ones, and nothing is missed', async () => {
      await follow()
      await beat('n1')
      await waitFor('the watch', () => seen.length === 1)
      harness.store.refreshConnections()
      await annotate('n3', { [`${ANNOTATION_PREFIX}public-ip`]: '192.0.2.3' })
      await waitFor('the change', () => last('n3')?.node.annotations['public-ip'] === '192.0.2.3')
    })

    test('a watch that is stopped ends, also while it waits', async () => {
      const until = signal()
      const { resourceVersion } = await harness.store.list(until)
      const ended = (async () => {
        for await (const event of harness.store.watch(resourceVersion, until))
          if (event.kind === 'expired') return 'expired'
        return 'stopped'
      })()
      stop.abort()
      expect(await ended).toBe('stopped')
      await expect(harness.store.list(until)).rejects.toMatchObject({ code: 'ABORTED_BY_CALLER' })
    })
  })
}
