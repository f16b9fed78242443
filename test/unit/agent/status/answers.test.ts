import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readCommandLine } from '../../../../src/cli/flanneld.ts'
import type { ReachView } from '../../../../src/agent/status/live-agent.ts'
import { networkRoutes, socketRoutes } from '../../../../src/commands/serve/routes.ts'
import { HttpServer } from '../../../../src/http/server.ts'
import type { Routes } from '../../../../src/http/answer.ts'
import type { PeersDocument, StatusDocument } from '../../../../src/status/document.ts'
import { AgentWorld, CONFIG, upstreamLease } from '../../../fake/agent-world.ts'

let world: AgentWorld
const servers: HttpServer[] = []

beforeEach(async () => {
  world = await AgentWorld.create()
})

afterEach(async () => {
  for (const server of servers.splice(0)) server.close()
  await world.close()
})

/** An agent that holds a lease, with the peers of these numbers. */
async function running(...peers: readonly number[]): Promise<void> {
  world.etcd.putConfig(CONFIG)
  for (const octet of peers) world.etcd.put(`10.2.${octet * 16}.0-20`, upstreamLease(octet))
  await world.start()
  await world.until('in step', () => world.status.state.ready)
}

/** @returns where it is asked */
async function serve(routes: Routes, ownNames?: ReadonlySet<string>): Promise<string> {
  const http = new HttpServer({ routes, ...(ownNames && { ownNames }) })
  servers.push(http)
  http.server.listen(0, '127.0.0.1')
  await once(http.server, 'listening')
  const address = http.server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`
}

async function ask<T>(path: string): Promise<T> {
  const answer = await fetch(`${await serve(socketRoutes(world.live()))}${path}`)
  expect(answer.status).toBe(200)
  return (await answer.json()) as T
}

describe('the status', () => {
  test('is there before there is a lease, and says what is waited for', async () => {
    await world.start()
    expect(await ask<StatusDocument>('/v1/status')).toMatchObject({
      version: 1,
      state: 'unready',
      configuration: null,
      lease: null,
      families: [],
      peers: { total: 0 },
      conditions: [{ what: 'network configuration', effect: 'unready' }, {}, {}, {}],
    })
  })

  test('says of a node in step what it holds', async () => {
    await running(11, 12)
    const status = await ask<StatusDocument>('/v1/status')
    expect(status).toMatchObject({
      state: 'ready',
      node: { id: 'a'.repeat(32), hostname: 'host1' },
      conditions: [],
      configuration: {
        source: '/coreos.com/network/config',
        networks: [{ family: 4, network: '10.0.0.0/8', subnetLength: 20 }],
        backend: { type: 'vxlan', settings: { vni: 100, port: 8472 } },
        waitsForRestart: [],
      },
      lease: { subnets: [world.subnet], how: 'created' },
      families: [
        {
          family: 4,
          subnet: world.subnet,
          underlay: { interface: 'eth0', address: '192.168.205.10', publicIp: '192.168.205.10', hasCarrier: true },
          device: { name: 'flannel.100', index: world.kernel.indexOf('flannel.100'), vni: 100, port: 8472 },
          tables: { peers: 2, pending: 0, synced: true },
        },
      ],
      peers: { total: 2 },
      pending: { total: 0, rows: [] },
      rejected: { total: 0, rows: [] },
      firewall: { isWanted: true, kind: 'iptables', holds: true },
    })
    expect(status.lease?.secondsLeft).toBeGreaterThan(86_000)
  })
})

describe('the peers', () => {
  test.each([
    ['', ['192.168.205.11', '192.168.205.12']],
    ['?of=192.168.205.12', ['192.168.205.12']],
    ['?of=10.2.176.9', ['192.168.205.11']],
    ['?of=10.2.192.0/20', ['192.168.205.12']],
    ['?of=10.2.192.0-20', ['192.168.205.12']],
    ['?of=10.2.0.0/16', ['192.168.205.11', '192.168.205.12']],
    ['?of=nobody', []],
    ['?reach=unknown', ['192.168.205.11', '192.168.205.12']],
    ['?reach=lossy', []],
    ['?first=1', ['192.168.205.11']],
    ['?first=9&of=192.168.205.12', ['192.168.205.12']],
  ])('%s are %j', async (query, expected) => {
    await running(11, 12)
    const { peers } = await ask<PeersDocument>(`/v1/peers${query}`)
    expect(peers.map(({ publicIp }) => publicIp)).toEqual(expected)
  })

  test('have their entries, each as the kernel has it', async () => {
    await running(11)
    const [peer] = (await ask<PeersDocument>('/v1/peers')).peers
    expect(peer).toMatchObject({
      ...{ name: '192.168.205.11', nodeId: null, backendType: 'vxlan', mac: '02:00:00:00:00:0b', isReserved: true },
      ...{ address: '10.2.176.0', isDirect: false, reach: 'unknown' },
      entries: [
        { table: 'neighbour', row: 'neighbour 10.2.176.0 lladdr 02:00:00:00:00:0b nud permanent', isInKernel: true },
        { table: 'fdb', isInKernel: true },
        { table: 'route', isInKernel: true },
      ],
    })
  })
})

test('no secret stands in any document, wherever it was given', async () => {
  const secret = 'geheim-0815'
  const read = readCommandLine(
    [`--etcd-password=${secret}`, '--etcd-username=u', `--etcd-cafile=https://me:${secret}@ca`, '--iface=eth0'],
    { FLANNELD_ETCD_PASSWORD: secret, FLANNELD_ETCD_ENDPOINTS: 'https://10.9.9.8:2379' },
  )
  if (read.kind !== 'run') throw new TypeError('it asks for nothing else')
  const { etcd, given } = read.options
  world.etcd.putConfig(CONFIG)
  world.etcd.put('10.2.176.0-20', upstreamLease(11))
  world.etcd.put('10.2.192.0-20', upstreamLease(11)) // rejected: the same MAC
  await world.start({ etcd, given: given ?? {} })
  await world.until('in step', () => world.status.state.ready)
  const url = await serve(socketRoutes({ ...world.live(), flags: given ?? {} }))
  const documents = await Promise.all(
    ['status', 'peers', 'pending', 'rejected', 'events'].map(async (name) => (await fetch(`${url}/v1/${name}`)).text()),
  )
  expect(documents.join('')).toContain('"iface":"eth0"')
  expect(documents.filter((text) => text.includes(secret))).toEqual([])
})

describe('peers that are asked now', () => {
  const asked: string[][] = []
  const reaches = (isOn: boolean): ReachView => ({
    ...{ isOn, why: isOn ? null : '--peer-probes is false' },
    reach: () => ({ reach: asked.length > 0 ? 'reachable' : 'unknown', sinceMs: 0, loss: 0 }),
    counts: () => ({ reachable: 0, lossy: 0, mtu: 0, unreachable: 0, unknown: isOn ? 2 : 0 }),
    askNow: (keys) => {
      asked.push([...keys])
      return Promise.resolve()
    },
  })
  const probe = async (query: string, isOn = true): Promise<Response> => {
    asked.length = 0
    await running(11, 12)
    return fetch(`${await serve(socketRoutes(world.live(reaches(isOn))))}/v1/probe${query}`, { method: 'POST' })
  }

  test('are answered for once it is decided', async () => {
    const answer = await probe('?of=192.168.205.12')
    expect(await answer.json()).toMatchObject({ peers: [{ publicIp: '192.168.205.12', reach: 'reachable' }] })
    expect(asked).toEqual([['10.2.192.0-20']])
  })

  test.each([
    ['', false, 503, /peers are not asked: --peer-probes is false/],
    ['?first=0', true, 400, /first= is a number of peers, from 1 on/],
    ['?off=x', true, 400, /there are of=, reach= and first=/],
    ['?reach=fine', true, 400, /reach= is one of unreachable/],
  ])('%s with probes %s: %i', async (query, isOn, status, words) => {
    const answer = await probe(query, isOn)
    expect(answer.status).toBe(status)
    expect(await answer.text()).toMatch(words)
    expect(asked).toEqual([])
  })
})

describe('over the network', () => {
  test('is asked by an address or a name of this host alone', async () => {
    await running()
    const url = await serve(networkRoutes(world.live()), new Set(['host1']))
    const statusFor = async (host: string): Promise<number> => {
      const { request } = await import('node:http')
      const asked = request(`${url}/status`, { headers: { host } }).end()
      const [response] = (await once(asked, 'response')) as [{ statusCode: number; resume(): void }]
      response.resume()
      return response.statusCode
    }
    expect(await Promise.all(['127.0.0.1:1', 'host1', 'HOST1.:80', '[::1]:80', 'localhost'].map(statusFor))).toEqual(
      Array(5).fill(200),
    )
    expect(await Promise.all(['evil.example', 'host1.evil.example', 'a:b:c'].map(statusFor))).toEqual(
      Array(3).fill(421),
    )
  })

  test('nothing is changed, and no flags are shown', async () => {
    await running()
    const url = await serve(networkRoutes({ ...world.live(), flags: { iface: 'eth0' } }), new Set())
    expect((await fetch(`${url}/v1/probe`, { method: 'POST' })).status).toBe(404)
    expect(await (await fetch(`${url}/status`)).json()).toMatchObject({ configuration: { flags: {} } })
  })
})
