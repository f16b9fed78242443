import { describe, expect, test } from 'vitest'
import { answers, fails, waitFor, type LabHost, type StoredLease } from '../../lab/index.ts'
import { says } from '../../lab/log.ts'
import { leaseOf, readLease } from '../../lab/expected-tables.ts'
import { ping } from '../../lab/ping.ts'
import { CONFIG, useLab } from '../../lab/use-lab.ts'
import { nodeIdIn } from './lease-scene.ts'

/** A rival is asked for 20 s whether it lives before it counts as dead; then the next attempt has to come round. */
const TAKEN_OVER_WITHIN_MS = 60_000

/** A pair of hosts for each test: they run at the same time, since most of it is waiting. */
const lab = useLab({ hosts: 14 }, (it) => it.putConfig(CONFIG))

const pair = (number: number): readonly [LabHost, LabHost] => [lab().host(2 * number), lab().host(2 * number + 1)]

interface OwnedLease {
  readonly name: string
  readonly nodeId: string | undefined
}

async function leasesWith(publicIp: string): Promise<readonly OwnedLease[]> {
  const all = await lab().leases()
  return all
    .filter((lease) => readLease(lease).publicIp === publicIp)
    .map(({ name, value }) => ({ name, nodeId: nodeIdIn(value) }))
}

const isInUse = (publicIp: string): RegExp => new RegExp(`^PublicIP ${publicIp.replaceAll('.', '\\.')} is in use`)

/** Refused, with the other named and the addresses to choose from instead. */
async function isRefused(host: LabHost, publicIp: string): Promise<void> {
  await fails(host, 'lease', isInUse(publicIp), { deadlineMs: 30_000 })
  await says(host, new RegExp(`eth0[^\\n]*${host.address.replaceAll('.', '\\.')}`), { deadlineMs: 1_000 })
  expect(await host.subnetFile(), 'a subnet file of the refused').toBeUndefined()
}

describe.concurrent('two nodes that are told apart by nothing', () => {
  test('lease: a second node with the same PublicIP: refused while the first lives, takes over when it is dead', async ({
    expect,
  }) => {
    const [first, second] = pair(0)
    first.agent.start()
    await first.ready()
    const held = await leasesWith(first.address)
    second.agent.start([`--public-ip=${first.address}`])
    await isRefused(second, first.address)
    expect(await leasesWith(first.address)).toEqual(held)
    await first.agent.kill()
    await second.ready(TAKEN_OVER_WITHIN_MS)
    const after = await leasesWith(first.address)
    expect(after).toHaveLength(1)
    expect(after[0]?.nodeId).not.toBe(held[0]?.nodeId)
  })

  test('lease: two nodes with the same PublicIP started at once: exactly one wins', async ({ expect }) => {
    const [first, second] = pair(1)
    first.agent.start()
    second.agent.start([`--public-ip=${first.address}`])
    const look = async (): Promise<{ winner: LabHost; loser: LabHost } | undefined> => {
      const [one, other] = await Promise.all([first.subnetFile(), second.subnetFile()])
      if (one) return { winner: first, loser: second }
      return other && { winner: second, loser: first }
    }
    const { winner, loser } = await waitFor('one of them to win', look, { deadlineMs: TAKEN_OVER_WITHIN_MS })
    await fails(loser, 'lease', isInUse(first.address), { deadlineMs: 30_000 })
    expect(await loser.subnetFile()).toBeUndefined()
    const leases = await leasesWith(first.address)
    expect(leases.map(({ name }) => name.replace('-', '/'))).toEqual([(await winner.ready()).subnet.text])
  })

  test('lease: a second node with the same machine id: goes on under an identity of its own, the lease of the first untouched', async ({
    expect,
  }) => {
    const [first, second] = pair(2)
    first.agent.start(['--node-id=clone'])
    const { subnet } = await first.ready()
    const find = async (name: string): Promise<StoredLease | undefined> =>
      (await lab().leases()).find((lease) => lease.name.replace('-', '/') === name)
    const held = await find(subnet.text)
    second.agent.start(['--node-id=clone'])
    const file = await second.ready()
    expect(await second.agent.log()).toMatch(/warn .*the same machine id.*--node-id; until then/)
    expect(await find(subnet.text)).toEqual(held)
    const identity = nodeIdIn((await find(file.subnet.text))?.value ?? '')
    expect(identity).toMatch(/^[0-9a-f]{32}$/)
    await second.agent.stop()
    second.agent.start(['--node-id=clone'])
    expect((await second.ready()).subnet.text).toBe(file.subnet.text)
    expect(nodeIdIn((await find(file.subnet.text))?.value ?? '')).toBe(identity)
  })

  test('lease: a second node with the same machine id and the same PublicIP: waits while the first lives', async ({
    expect,
  }) => {
    const [first, second] = pair(4)
    first.agent.start(['--node-id=twin'])
    await first.ready()
    second.agent.start(['--node-id=twin', `--public-ip=${first.address}`])
    await fails(second, 'lease', /machine id.*--node-id/, { deadlineMs: 30_000 })
    expect(await second.subnetFile()).toBeUndefined()
    expect((await lab().leases()).filter(({ value }) => nodeIdIn(value) === 'twin')).toHaveLength(1)
  })

  test('lease: four copies of one machine started at once: all run, each with a MAC of its own', async ({ expect }) => {
    const copies = [...pair(5), ...pair(6)]
    for (const copy of copies) copy.agent.start(['--node-id=fleet'])
    for (const copy of copies) await copy.ready()
    const all = await lab().leases()
    expect(all.filter(({ value }) => nodeIdIn(value) === 'fleet')).toHaveLength(1)
    const leases = await Promise.all(copies.map((copy) => leaseOf(lab(), copy)))
    expect(new Set(leases.map(({ mac }) => mac)).size).toBe(4)
    for (const [at, copy] of copies.entries()) {
      expect((await copy.link('flannel.100'))?.mac).toBe(leases[at]?.mac)
      for (const { base } of leases) expect(await ping(copy.place, base)).toEqual({ sent: 3, received: 3 })
    }
  })

  test('lease: a node that is killed and started again: no rival to itself, ready within 5 s', async () => {
    const [host] = pair(3)
    host.agent.start()
    const { subnet } = await host.ready()
    await host.agent.kill()
    await host.place.exec('rm', ['-r', '/run/flannel'])
    host.agent.start()
    await answers(host, { deadlineMs: 20_000, everyMs: 20 })
    expect((await host.ready(5_000)).subnet.text).toBe(subnet.text)
  })
})
