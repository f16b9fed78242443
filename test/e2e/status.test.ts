import { describe, expect, test } from 'vitest'
import { leaseOf } from '../lab/expected-tables.ts'
import { waitFor, type LabHost } from '../lab/index.ts'
import { isReady } from '../lab/health.ts'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'
import type { EventsDocument, PeersDocument, StatusDocument } from '../../src/status/document.ts'

const SOCKET = '/run/flannel/flanneld.sock'

/** As anybody asks on the host. */
async function ask<T>({ place }: LabHost, path: string, ...args: readonly string[]): Promise<T> {
  const text = await place.exec('curl', ['-sS', '--fail', ...args, '--unix-socket', SOCKET, `http://flanneld${path}`])
  return JSON.parse(text) as T
}

describe('the status socket of an agent', () => {
  const lab = useLab({ hosts: 2 })
  const first = (): LabHost => lab().host(0)
  const second = (): LabHost => lab().host(1)

  test('answers before there is a lease, to root alone', async () => {
    first().agent.start()
    const status = await waitFor('an answer', () => ask<StatusDocument>(first(), '/v1/status'))
    expect(status).toMatchObject({ version: 1, state: 'unready', lease: null, families: [] })
    expect((await first().place.exec('stat', ['-c', '%a %F', SOCKET])).trim()).toBe('600 socket')
    await waitFor('what is waited for', async () =>
      (await ask<StatusDocument>(first(), '/v1/status')).conditions.some(
        ({ what, fault }) => what === 'network configuration' && fault?.code === 'MISSING',
      ),
    )
  })

  test('says of its lease and device what etcd and the kernel say', async () => {
    await lab().putConfig(CONFIG)
    second().agent.start()
    await Promise.all(lab().hosts.map((host) => isReady(host)))
    const { lease, families, store, agent } = await waitFor('both to be known', async () => {
      const status = await ask<StatusDocument>(first(), '/v1/status')
      return status.peers.total === 1 && status.pending.total === 0 ? status : undefined
    })
    const held = await leaseOf(lab(), first())
    expect(lease).toMatchObject({ subnets: [held.subnet], how: 'created' })
    expect(lease?.secondsLeft).toBeGreaterThan(86_000)
    expect(agent.pid).toBe(first().agent.pid)
    const device = await first().link(DEVICE)
    expect(families).toMatchObject([
      {
        subnet: held.subnet,
        underlay: { interface: 'eth0', address: first().address, publicIp: first().address, mtu: 1500 },
        device: { name: DEVICE, index: device?.index, mac: device?.mac, mtu: device?.mtu, vni: 100, port: 8472 },
        tables: { peers: 1, pending: 0, synced: true },
      },
    ])
    expect(store).toMatchObject({ isUp: true, endpoints: [{ url: lab().etcd.endpoints[0], isUp: true }] })
    expect(store.endpoints[0]?.latencyMs).toBeGreaterThan(0)
  })

  test('says of its peer what stands in the tables, and that it does not when it is taken away', async () => {
    const { peers } = await ask<PeersDocument>(first(), `/v1/peers?of=${second().name}`)
    const other = await leaseOf(lab(), second())
    const { neighbours, fdb, routes } = await first().peerTables(DEVICE)
    expect(peers).toMatchObject([
      {
        ...{ name: second().name, subnet: other.subnet, publicIp: second().address, isReserved: false },
        ...{ mac: fdb[0]?.mac, address: neighbours[0]?.address },
        entries: [
          { table: 'neighbour', row: expect.stringContaining(neighbours[0]?.mac ?? '?') as unknown, isInKernel: true },
          { table: 'fdb', row: expect.stringContaining(second().address) as unknown, isInKernel: true },
          { table: 'route', row: expect.stringContaining(routes[0]?.destination ?? '?') as unknown, isInKernel: true },
        ],
      },
    ])
    // not by `flush`, which looks again after it has deleted, and would delete what was restored meanwhile
    await first().place.exec('ip', ['route', 'delete', routes[0]?.destination ?? '?', 'dev', DEVICE, 'proto', '70'])
    await waitFor('the event', async () =>
      (await ask<EventsDocument>(first(), '/v1/events')).events.some(({ kind }) => kind === 'entries-restored'),
    )
    expect(await ask<StatusDocument>(first(), '/v1/status')).toMatchObject({
      families: [{ tables: { restored: { route: 1 } } }],
    })
  })

  test('asks a peer at once whether packets arrive, and says that they do', async () => {
    const { peers } = await ask<PeersDocument>(first(), `/v1/probe?of=${second().address}`, '-X', 'POST')
    expect(peers).toMatchObject([{ name: second().name, reach: 'reachable', passesOctets: null, underlay: null }])
    expect(peers[0]?.rttMs).toBeGreaterThan(0)
    expect(await ask<StatusDocument>(first(), '/v1/status')).toMatchObject({
      peers: { byReach: { reachable: 1 }, probes: { isOn: true }, notReachable: [] },
    })
  })

  test('is gone when the agent is stopped, and taken over when it was killed', async () => {
    const exists = async (): Promise<boolean> => (await first().place.attempt('test', ['-e', SOCKET])).code === 0
    await first().agent.kill()
    expect(await exists()).toBe(true)
    first().agent.start()
    await waitFor('an answer of the new one', async () => {
      const { agent, lease } = await ask<StatusDocument>(first(), '/v1/status')
      return agent.pid === first().agent.pid && lease?.how === 'kept'
    })
    await first().agent.stop()
    expect(await exists()).toBe(false)
    expect((await first().place.exec('ls', ['-A', '/run/flannel'])).trim()).toBe('subnet.env')
  })
})
