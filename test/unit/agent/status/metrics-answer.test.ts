import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ReachView } from '../../../../src/agent/status/live-agent.ts'
import { metricsRoutes, networkRoutes, socketRoutes } from '../../../../src/commands/serve/routes.ts'
import type { Routes } from '../../../../src/http/answer.ts'
import { HttpServer } from '../../../../src/http/server.ts'
import { Totals } from '../../../../src/probe/totals.ts'
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

async function serve(routes: Routes): Promise<string> {
  const http = new HttpServer({ routes, ownNames: new Set() })
  servers.push(http)
  http.server.listen(0, '127.0.0.1')
  await once(http.server, 'listening')
  const address = http.server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`
}

const scrape = async (path = '/metrics', reaches?: ReachView): Promise<string> => {
  const answer = await fetch(`${await serve(socketRoutes(world.live(reaches)))}${path}`)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  return answer.text()
}

const valueOf = (text: string, series: string): string | undefined =>
  text
    .split('\n')
    .find((line) => line.startsWith(`${series} `))
    ?.slice(series.length + 1)

describe('metrics of an agent', () => {
  test('are there before there is a lease', async () => {
    await world.start()
    const text = await scrape()
    expect(valueOf(text, 'flannel_node_state{state="unready"}')).toBe('1')
    expect(valueOf(text, 'flannel_condition{condition="network configuration",effect="unready"}')).toBe('1')
    expect(valueOf(text, 'flannel_lease_held')).toBe('0')
    expect(text).not.toContain('flannel_free_subnets')
  })

  test('tell of a node in step its lease, its rows and what is left of the network', async () => {
    await running(11, 12)
    world.etcd.put('10.2.0.0-20', 'rubbish')
    await world.advance(1_000)
    const text = await scrape()
    expect(valueOf(text, 'flannel_node_state{state="ready"}')).toBe('1')
    expect(Number(valueOf(text, 'flannel_lease_remaining_seconds'))).toBeGreaterThan(80_000)
    expect(valueOf(text, 'flannel_rejected_leases{reason="malformed"}')).toBe('1')
    expect(valueOf(text, 'flannel_pending_rows{family="4",table="route"}')).toBe('0')
    expect(valueOf(text, 'flannel_subnets{family="4"}')).toBe('4095')
    expect(valueOf(text, 'flannel_free_subnets{family="4"}')).toBe(String(4_095 - 4))
    expect(Number(valueOf(text, 'flannel_pass_duration_seconds_count{family="4"}'))).toBeGreaterThan(0)
    expect(Number(valueOf(text, 'process_resident_memory_bytes'))).toBeGreaterThan(1e6)
  })

  test('count rows that wait, each in its table', async () => {
    await running(11)
    world.kernel.faults.refuse = ({ op }) => (op === 'route.replace' ? 'EINVAL' : undefined)
    world.etcd.put('10.2.0.0-20', upstreamLease(13))
    await world.advance(1_000)
    expect(valueOf(await scrape(), 'flannel_pending_rows{family="4",table="route"}')).toBe('1')
  })

  test('tell when the process was started as one moment, however often they are asked', async () => {
    await running()
    const starts = [await scrape(), await scrape(), await scrape()].map((text) =>
      valueOf(text, 'process_start_time_seconds'),
    )
    expect(new Set(starts).size).toBe(1)
    expect(Math.abs(Number(starts[0]) * 1_000 - (Date.now() - process.uptime() * 1_000))).toBeLessThan(60_000)
  })

  test('have series of each peer where they are asked for', async () => {
    await running(11, 12)
    const reaches: ReachView = {
      isOn: true,
      why: null,
      reach: (key) => ({ reach: key.startsWith('10.2.176.') ? 'reachable' : 'mtu', sinceMs: 0, loss: 0, rttMs: 0.5 }),
      counts: () => ({ reachable: 1, lossy: 0, mtu: 1, unreachable: 0, unknown: 0 }),
      askNow: () => Promise.resolve(),
    }
    const text = await scrape('/metrics?collect[]=peers', reaches)
    const peers = text.split('\n').filter((line) => line.startsWith('flannel_peer_reachable{'))
    expect(peers.map((line) => [/subnet="([^"]*)"/.exec(line)?.[1], line.at(-1)])).toEqual([
      ['10.2.176.0/20', '1'],
      ['10.2.192.0/20', '0'],
    ])
    for (const name of ['flannel_peer_round_trip_seconds', 'flannel_peer_loss_ratio'])
      expect(text.split('\n').filter((line) => line.startsWith(`${name}{`))).toHaveLength(2)
    expect(valueOf(await scrape('/metrics', reaches), 'flannel_peers{reach="mtu"}')).toBe('1')
  })
})

test('round trips are told in seconds, and counted under every bound that they do not exceed', async () => {
  await running(11)
  const totals = new Totals()
  for (const ms of [0.4, 3, 2_000]) totals.answered(ms)
  const text = await scrape('/metrics', { ...world.live().reaches, totals: () => totals.read() })
  const series = 'flannel_probe_round_trip_seconds'
  expect(valueOf(text, `${series}_bucket{le="0.00025"}`)).toBe('0')
  expect(valueOf(text, `${series}_bucket{le="0.0005"}`)).toBe('1')
  expect(valueOf(text, `${series}_bucket{le="0.005"}`)).toBe('2')
  expect(valueOf(text, `${series}_bucket{le="1"}`)).toBe('2')
  expect(valueOf(text, `${series}_bucket{le="+Inf"}`)).toBe('3')
  expect(valueOf(text, `${series}_sum`)).toBe('2.0034')
})

describe('on the health port', () => {
  test('metrics are there whether the status is or not, by whatever name the host is asked', async () => {
    await running()
    for (const routes of [metricsRoutes(world.live()), networkRoutes(world.live())]) {
      const url = await serve(routes)
      const answer = await fetch(`${url}/metrics`, { headers: { host: 'node1.example.com:8081' } })
      expect([answer.status, (await answer.text()).includes('flannel_build_info')]).toEqual([200, true])
    }
    expect((await fetch(`${await serve(metricsRoutes(world.live()))}/v1/status`)).status).toBe(404)
  })

  test('a wrong question is told so', async () => {
    await running()
    const answer = await fetch(`${await serve(metricsRoutes(world.live()))}/metrics?collect[]=pears`)
    expect([answer.status, await answer.text()]).toEqual([400, 'collect[]: expected agent or peers, found "pears"\n'])
  })
})
