import { expect, test } from 'vitest'
import { SUBNET_FILE, waitFor, type LabHost } from '../lab/index.ts'
import { leaseOf } from '../lab/expected-tables.ts'
import { DEVICE, DEVICE6, DUAL, useLab } from '../lab/use-lab.ts'

const configOf = (DirectRouting: boolean): object => ({ ...DUAL, Backend: { ...DUAL.Backend, DirectRouting } })

const lab = useLab({ hosts: 2 }, async (made) => {
  await made.putConfig(configOf(true))
  await made.startAgents()
  await Promise.all(made.hosts.map((host) => host.addContainer()))
})

/** What `host` has for the subnet of `other`, as `ip route` prints it. */
async function routeTo(host: LabHost, other: LabHost): Promise<string> {
  const { subnet } = await leaseOf(lab(), other)
  return host.place.exec('ip', ['route', 'show', subnet])
}

const becomes = (host: LabHost, other: LabHost, route: string): Promise<boolean> =>
  waitFor(`the route of ${host.name} to be ${route}`, async () => (await routeTo(host, other)).includes(route))

test('with DirectRouting, hosts on one switch reach each other without the tunnel, and others through it', async () => {
  const [first, second] = [lab().host(0), lab().host(1)]
  const direct = `via ${second.address} dev eth0 proto 70`
  await becomes(first, second, direct)
  await becomes(second, first, `via ${first.address} dev eth0 proto 70`)
  expect(await first.peerTables(DEVICE)).toEqual({ neighbours: [], fdb: [], routes: [] })
  const [from, to] = [first.containers[0], second.containers[0]]
  if (from === undefined || to === undefined) throw new Error('no containers')
  const capture = await lab().capture()
  expect(await from.ping(to.address, { count: 5 })).toEqual({ sent: 5, received: 5 })
  expect(await capture.stop()).toEqual([])

  const stream = from.pingStream(to.address)
  await stream.progress()
  const detour = [`${second.address}/32`, 'via', second.address, 'dev', 'eth0']
  await first.place.exec('ip', ['route', 'add', ...detour])
  await becomes(first, second, `dev ${DEVICE} proto 70`)
  const { routes, fdb } = await first.peerTables(DEVICE)
  expect([routes.length, fdb.length]).toEqual([1, 1])
  await stream.progress(30)
  await first.place.exec('ip', ['route', 'delete', ...detour])
  await becomes(first, second, direct)
  await stream.progress(30)
  expect((await stream.stop()).lost).toEqual([])
})

test('a direct route that somebody deletes is restored', async () => {
  const [first, second] = [lab().host(0), lab().host(1)]
  const { subnet } = await leaseOf(lab(), second)
  await first.place.exec('ip', ['route', 'delete', subnet])
  await becomes(first, second, `via ${second.address} dev eth0 proto 70`)
})

/** The links over which `host` reaches containers of others in both families, as `ip -j route` has them. */
async function waysOf({ place }: LabHost): Promise<readonly unknown[]> {
  const [four, six] = await Promise.all(['-4', '-6'].map((family) => place.ip(family, 'route', 'show', 'proto', '70')))
  return [...(four ?? []), ...(six ?? [])].map(({ dev }) => dev)
}

/** What a switch must not change. */
const unchanging = async (): Promise<unknown> =>
  Promise.all(
    lab().hosts.map(async (host) => ({
      file: await host.place.exec('cat', [SUBNET_FILE]),
      links: [await host.link(DEVICE), await host.link(DEVICE6)],
    })),
  )

test('DirectRouting switched off and on again while containers ping each other in both families loses no packet', async () => {
  const [from, to] = lab().hosts.flatMap(({ containers }) => containers)
  if (from?.address6 === undefined || to?.address6 === undefined) throw new Error('no containers of both families')
  const everywhere = (ways: readonly string[]): Promise<unknown> =>
    Promise.all(
      lab().hosts.map((host) =>
        waitFor(`${host.name} to use ${ways.join(' and ')}`, async () => {
          expect(await waysOf(host)).toEqual(ways)
          return true
        }),
      ),
    )
  await everywhere(['eth0', 'eth0'])
  const before = await unchanging()
  const logged = await Promise.all(lab().hosts.map(async ({ agent }) => (await agent.logOfRun()).length))
  const revision = await lab().revision()
  const streams = [from.pingStream(to.address), to.pingStream(from.address), from.pingStream(to.address6)]
  for (const stream of streams) await stream.progress()
  for (const isOn of [false, true, false, true]) {
    await lab().putConfig(configOf(isOn))
    await everywhere(isOn ? ['eth0', 'eth0'] : [DEVICE, DEVICE6])
    for (const stream of streams) await stream.progress(30)
  }
  for (const stream of streams) expect((await stream.stop()).lost).toEqual([])
  expect(await lab().revision()).toBe(revision + 4)
  expect(await unchanging()).toEqual(before)
  for (const host of lab().hosts) {
    expect(await host.peerTables(DEVICE)).toEqual({ neighbours: [], fdb: [], routes: [] })
    expect(await host.peerTables(DEVICE6, 6)).toEqual({ neighbours: [], fdb: [], routes: [] })
  }
  for (const [at, { agent }] of lab().hosts.entries()) {
    const said = (await agent.logOfRun()).slice(logged[at])
    expect(said).not.toMatch(/refuses|changed from outside|next start/)
  }
})
