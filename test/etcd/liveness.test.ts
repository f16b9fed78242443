import { describe, test } from 'vitest'

import { quietMs } from '../../src/lease/proof.ts'
import { GrpcLine } from '../bench/scale/grpc-line.ts'
import { FOUND_DEAD_WITHIN_MS, type EtcdCluster } from '../lab/etcd-process.ts'
import { createEventually, PREFIX } from './etcd-harness.ts'
import { DEADLINE, FrontScene } from './front-scene.ts'

const { signal } = new AbortController()
/** Questions after which one who asks too often would have been cut off: the fourth ping was too many. */
const QUESTIONS = 6
/** Leases of so many that each bears ten seconds of silence. */
const MANY = 5_000
const STRICT = { args: ['--grpc-keepalive-min-time=60s'] }

/** Reads that etcd has been asked for, as it counts them. */
async function reads({ member }: EtcdCluster): Promise<number> {
  const metrics = await (await fetch(`${member.endpoint}/metrics`)).text()
  return Number(/^grpc_server_started_total\{[^}]*grpc_method="Range"[^}]*\} (\d+)$/m.exec(metrics)?.[1] ?? 0)
}

const put = (cluster: EtcdCluster, name: string): Promise<string> =>
  cluster.etcdctl(['put', `${PREFIX}/subnets/${name}`, 'v'])

describe.concurrent('a connection on which nothing happens', () => {
  test('is kept by etcd and what stands before it, however rarely they want to be pinged, and by a balancer that cuts what is idle', async (context) => {
    const [scene, { expect }] = [new FrontScene(context), context]
    const cluster = await scene.etcd(STRICT)
    const fronts = [cluster.member, await scene.front('grpc-proxy', cluster), await scene.front('gateway', cluster)]
    const ways = await Promise.all(fronts.map((front) => scene.tcpProxy(front, 10_000)))
    const logs = await Promise.all(ways.map((way) => scene.watch(scene.open(way))))
    const before = await reads(cluster)
    await expect.poll(() => reads(cluster), DEADLINE).toBeGreaterThanOrEqual(before + QUESTIONS * ways.length)
    await put(cluster, '10.1.0.0-24')
    for (const log of logs) await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=v'])
    expect(logs.map(({ connection }) => connection)).toEqual(ways.map(() => ['up']))
    expect(ways.map(({ connections }) => connections)).toEqual(ways.map(() => 1))
  })

  test('is asked for a sign of life more seldom by each, where many hold leases', async (context) => {
    const [scene, { expect }] = [new FrontScene(context), context]
    const cluster = await scene.etcd()
    const line = new GrpcLine(cluster.member.endpoint)
    for (let batch = 0; batch < MANY / 100; batch++) {
      const put = (at: number): object => ({
        request_put: { key: Buffer.from(`${PREFIX}/subnets/10.${batch}.${at}.0-24`), value: Buffer.from('v') },
      })
      await line.call('KV', 'Txn', { success: Array.from({ length: 100 }, (_, at) => put(at)) })
    }
    line.close()
    await scene.watch(scene.open(cluster.member))
    const [before, beganMs] = [await reads(cluster), performance.now()]
    await expect.poll(() => reads(cluster), DEADLINE).toBe(before + 1)
    expect(performance.now() - beganMs).toBeGreaterThan(quietMs(MANY) * 0.9 - 500)
  })

  test.for(['no proxy', 'grpc-proxy', 'gateway'] as const)(
    'is given up within 12 s when etcd behind %s stands still, and made again when it goes on',
    async (kind, context) => {
      const [scene, { expect }] = [new FrontScene(context), context]
      const cluster = await scene.etcd(STRICT)
      const log = await scene.watch(scene.open(kind === 'no proxy' ? cluster.member : await scene.front(kind, cluster)))
      const frozenAtMs = performance.now()
      cluster.member.freeze()
      await expect.poll(() => log.connection, DEADLINE).toEqual(['up', 'down'])
      expect(performance.now() - frozenAtMs).toBeLessThan(FOUND_DEAD_WITHIN_MS)
      cluster.member.thaw()
      await expect.poll(() => log.connection, DEADLINE).toEqual(['up', 'down', 'up'])
      await put(cluster, '10.1.0.0-24')
      await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=v'])
    },
  )

  test('is given up within 12 s when a firewall begins to drop its packets, also where only calls use it', async (context) => {
    const [scene, { expect }] = [new FrontScene(context), context]
    const way = await scene.tcpProxy((await scene.etcd()).member)
    const store = scene.open(way)
    await store.list(signal)
    way.blackHole()
    const droppedAtMs = performance.now()
    await expect(store.list(signal)).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await expect.poll(() => way.openConnections, DEADLINE).toBe(0)
    expect(performance.now() - droppedAtMs).toBeLessThan(FOUND_DEAD_WITHIN_MS)
    way.pass()
    await store.list(signal)
  })

  test('is made again within a second when a balancer ends it', async (context) => {
    const [scene, { expect }] = [new FrontScene(context), context]
    const cluster = await scene.etcd()
    const way = await scene.tcpProxy(cluster.member)
    const log = await scene.watch(scene.open(way))
    const endedAtMs = performance.now()
    way.end()
    await expect.poll(() => log.connection, DEADLINE).toEqual(['up', 'down', 'up'])
    expect(performance.now() - endedAtMs).toBeLessThan(1_000)
    await put(cluster, '10.1.0.0-24')
    await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=v'])
  })
})

describe.concurrent('three members', () => {
  test.for([
    ['grpc-proxy', 'killed'],
    ['gateway', 'killed'],
    // a grpc-proxy never notices that a member of its own stands still
    ['gateway', 'frozen'],
  ] as const)('behind a %s are written to and followed whichever of them is %s', async ([kind, fault], context) => {
    const [scene, { expect }] = [new FrontScene(context), context]
    const cluster = await scene.etcd({ members: 3 })
    const store = scene.open(await scene.front(kind, cluster))
    const log = await scene.watch(store)
    const expected: string[] = []
    for (const [at, member] of cluster.members.entries()) {
      if (fault === 'killed') await member.stop('SIGKILL')
      else member.freeze()
      const key = `10.1.${at}.0-24`
      await createEventually(store, key, 'v')
      expected.push(`+${key}=v`)
      await expect.poll(() => log.changes, DEADLINE).toEqual(expected)
      member.thaw()
      await cluster.restart()
    }
  })
})
