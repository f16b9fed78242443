import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EtcdCluster } from '../lab/etcd-process.ts'
import type { Cut } from '../property/leases/configuration.ts'
import { trespasses } from '../property/leases/judgement.ts'
import { rest } from '../property/leases/rest.ts'
import { LeaseWorld } from '../property/leases/world.ts'
import { EtcdStage } from './etcd-stage.ts'
import { TcpProxy } from './tcp-proxy.ts'

const WITHIN_MS = 20_000
const ROUNDS = 10
/** Rounds at a time: they mostly wait. */
const TOGETHER = 5
const FOUR_OF_EACH: Cut = { length: 24, first: 0, count: 4, length6: 64 }
const IPV4_ALONE: Cut = { length: 24, first: 0, count: 32, length6: undefined }

/** One process plays up to forty nodes: it takes as long as it is given processors for. */
const LIMIT = { timeout: 300_000 }

describe('nodes that start at once, with etcd 25 ms away', LIMIT, () => {
  let cluster: EtcdCluster
  let proxy: TcpProxy
  let worlds = 0
  beforeAll(async () => {
    cluster = await EtcdCluster.start()
    proxy = await TcpProxy.start(cluster.member.place.clientPort)
    proxy.delayMs = 25
  })
  afterAll(async () => {
    proxy.close()
    await cluster.close()
  })

  async function inWorld(nodes: number, cut: Cut, act: (world: LeaseWorld) => Promise<void>): Promise<void> {
    worlds += 1
    const stage = new EtcdStage({ cluster, prefix: `/world/${worlds}`, endpoint: proxy.endpoint, speed: 1 })
    const world = new LeaseWorld(stage, {
      cut,
      ours: Array.from({ length: nodes }, () => true),
      delaysMs: [0],
      seed: worlds,
    })
    try {
      await world.configure(cut)
      await act(world)
      await world.passUntil(() => world.isSettled, WITHIN_MS)
      const isInTime = world.isSettled
      world.say(isInTime ? 'all hold a lease' : 'not all hold a lease')
      const faults = [...(await rest(world)), ...world.offences, ...trespasses(world)]
      expect(faults, world.log.join('\n')).toEqual([])
      expect(isInTime, `all hold a lease in time:\n${world.log.join('\n')}`).toBe(true)
    } finally {
      world.close()
      await stage.close()
    }
  }

  async function inRounds(play: (round: number) => Promise<void>): Promise<void> {
    let next = 0
    const playSome = async (): Promise<void> => {
      while (next < ROUNDS) await play(next++)
    }
    await Promise.all(Array.from({ length: TOGETHER }, playSome))
  }

  async function startAll({ nodes }: LeaseWorld): Promise<void> {
    for (const node of nodes) node.start()
    await Promise.resolve()
  }

  /** One by one, with the change at another moment in each round. */
  async function startDuring(world: LeaseWorld, changed: Cut, round: number): Promise<void> {
    const { nodes } = world
    for (const [at, node] of nodes.entries()) {
      node.start()
      await world.pass(2 * round)
      if (at === nodes.length / 2) await world.configure(changed)
    }
  }

  async function copyAndStart(world: LeaseWorld): Promise<void> {
    for (const model of world.own) for (let copy = 0; copy < 3; copy++) world.copy(model, true)
    await startAll(world)
  }

  test('forty find the forty subnets there are within 20 s, none twice', () =>
    inWorld(40, { length: 25, first: 0, count: 20, length6: undefined }, startAll))

  test('four find four subnets of each family, none twice, in ten rounds', () =>
    inRounds(() => inWorld(4, FOUR_OF_EACH, startAll)))

  test('eight get subnets apart while SubnetLen changes, in ten rounds', () =>
    inRounds((round) => {
      const changed = { ...IPV4_ALONE, length: round % 2 === 0 ? 23 : 25 }
      return inWorld(8, IPV4_ALONE, (world) => startDuring(world, changed, round))
    }))

  test('eight get subnets apart while EnableIPv6 changes, in ten rounds', () =>
    inRounds((round) => inWorld(8, IPV4_ALONE, (world) => startDuring(world, { ...IPV4_ALONE, length6: 64 }, round))))

  test('copies of one machine all get subnets, and publish MACs of their own, in ten rounds', () =>
    inRounds(() => inWorld(1, IPV4_ALONE, copyAndStart)))
})
