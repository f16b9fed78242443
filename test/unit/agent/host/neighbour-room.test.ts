import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { NeighbourTable } from '../../../../src/kernel/neighbour-table.ts'
import { AgentWorld, CONFIG, upstreamLease } from '../../../fake/agent-world.ts'

/** A kernel with room for twelve peers beside what else a host has. */
const TABLE: NeighbourTable = { family: 4, overflows: 0, most: 140, countsPermanent: false }
const WHAT = 'room for neighbours of IPv4'

let world: AgentWorld

beforeEach(async () => {
  world = await AgentWorld.create()
  world.neighbourTables = [TABLE]
  world.etcd.putConfig(CONFIG)
})

afterEach(async () => {
  await world.close()
})

const keyOf = (octet: number): string => `10.${octet}.16.0-20`

/** On the link of the underlay, 192.168.205.0/24, or behind its gateway. */
function join(octet: number, isBehindGateway = false): void {
  const lease = upstreamLease(octet)
  world.etcd.put(keyOf(octet), isBehindGateway ? lease.replace('192.168.205.', '172.16.5.') : lease)
}

async function start(): Promise<void> {
  await world.start()
  await world.until('ready', () => world.status.state.ready)
  await world.advance(65_000)
}

describe('room for the neighbours that peers are', () => {
  test('is said to be short before it is, once, with a cure that is sized for them', async () => {
    for (let octet = 21; octet <= 32; octet++) join(octet)
    await start()
    expect(world.holds(WHAT)).toBe(true)
    join(33)
    await world.advance(65_000)
    expect(world.fails(WHAT, /^peers take 13 entries .* room for 140 \(net\.ipv4\.neigh\.default\.gc_thresh3\)/)).toBe(
      true,
    )
    expect(world.status.state).toMatchObject({ ready: true, degraded: [] })
    for (let octet = 34; octet <= 40; octet++) join(octet)
    await world.advance(300_000)
    expect(
      world.logged(/^warn room for neighbours of IPv4: .*Cure: sysctl -w net\.ipv4\.neigh\.default\.gc_thresh3=4096 /),
    ).toHaveLength(1)
    world.neighbourTables = [{ ...TABLE, most: 4_096 }]
    await world.advance(65_000)
    expect(world.holds(WHAT)).toBe(true)
  })

  test('is not taken by peers behind a gateway, which are no neighbours', async () => {
    for (let octet = 21; octet <= 60; octet++) join(octet, octet > 30)
    await start()
    expect(world.holds(WHAT)).toBe(true)
  })

  test('is taken by the entries of our device as well before Linux 5.0', async () => {
    for (let octet = 21; octet <= 27; octet++) join(octet)
    await start()
    expect(world.holds(WHAT)).toBe(true)
    await world.stop()
    world.neighbourTables = [{ ...TABLE, countsPermanent: true }]
    await start()
    expect(world.fails(WHAT, /^peers take 14 entries/)).toBe(true)
  })
})

test('a neighbour for which there is no room is pending, the others stand, and it is made when there is', async () => {
  let isFull = true
  world.kernel.faults.refuse = (op) =>
    isFull && op.op === 'neighbour.replace' && op.ip.text === '10.22.16.0' ? 'ENOBUFS' : undefined
  for (let octet = 21; octet <= 23; octet++) join(octet)
  await world.start()
  await world.until('forwarding', () => world.forwards())
  await world.advance(5_000)
  expect(world.rows().neighbours).toBe(2)
  expect(world.fails('tables of IPv4', /1 entry is not as it should be/)).toBe(true)
  isFull = false
  await world.advance(120_000)
  expect(world.rows().neighbours).toBe(3)
  expect(world.holds('tables of IPv4')).toBe(true)
})
