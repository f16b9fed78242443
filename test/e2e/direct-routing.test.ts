import { expect, test } from 'vitest'
import { waitFor, type LabHost } from '../lab/index.ts'
import { leaseOf } from './expected-tables.ts'
import { CONFIG, DEVICE, useLab } from './use-lab.ts'

const lab = useLab({ hosts: 2 }, async (made) => {
  await made.putConfig({ ...CONFIG, Backend: { ...CONFIG.Backend, DirectRouting: true } })
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
