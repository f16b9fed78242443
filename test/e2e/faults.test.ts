import { describe, expect, test } from 'vitest'
import { waitFor, type LabHost, type PingStream } from '../lab/index.ts'
import { leaseOf, peersAre, wholeDevice, type ReadLease } from './expected-tables.ts'
import { bringUp, DEVICE, useLab } from './use-lab.ts'

/** How soon the overlay must be whole again after a fault of the kernel or the underlay. */
const HEALED_WITHIN_MS = 2_000

describe('faults while containers ping each other', () => {
  const lab = useLab({ hosts: 3 }, bringUp)

  async function peersOf(host: LabHost): Promise<ReadLease[]> {
    return Promise.all(
      lab()
        .hosts.filter((other) => other !== host)
        .map((other) => leaseOf(lab(), other)),
    )
  }

  /** A ping from a container on the first host to one on the second, under way. */
  async function ping(): Promise<PingStream> {
    const [from] = lab().host(0).containers
    const [to] = lab().host(1).containers
    if (from === undefined || to === undefined) throw new Error('no containers')
    const stream = from.pingStream(to.address)
    await stream.progress()
    return stream
  }

  test('a deleted device is back with the same MAC and address, all peers programmed, packets flowing', async () => {
    const host = lab().host(0)
    const [before, peers] = [await host.link(DEVICE), await peersOf(host)]
    const stream = await ping()
    await host.place.exec('ip', ['link', 'delete', DEVICE])
    await peersAre(host, peers, HEALED_WITHIN_MS)
    const after = await host.link(DEVICE)
    expect(after?.mac).toBe(before?.mac)
    await stream.progress()
    await stream.stop()
  })

  test('foreign routes and addresses on the device are left alone', async () => {
    const host = lab().host(0)
    await host.place.ipBatch([
      `address add 172.31.255.1/32 dev ${DEVICE}`,
      `route add 172.31.0.0/24 dev ${DEVICE} proto static metric 9`,
    ])
    await host.place.exec('ip', ['neighbour', 'flush', 'nud', 'all', 'dev', DEVICE])
    await peersAreBesides(host, await peersOf(host))
    const device = JSON.stringify(await wholeDevice(host))
    expect(device).toContain('172.31.255.1')
    expect(device).toContain('172.31.0.0/24')
    await host.place.ipBatch([
      `route delete 172.31.0.0/24 dev ${DEVICE} proto static metric 9`,
      `address delete 172.31.255.1/32 dev ${DEVICE}`,
    ])
  })

  async function peersAreBesides(host: LabHost, peers: readonly ReadLease[]): Promise<void> {
    const whole = async (): Promise<boolean> => (await host.peerTables(DEVICE)).neighbours.length === peers.length
    await waitFor('the neighbours to be back', whole, { deadlineMs: HEALED_WITHIN_MS })
  }

  test('a lowered MTU of the underlay is followed by the device and the subnet file, and so is its return', async () => {
    const host = lab().host(0)
    for (const [underlay, overlay] of [
      [1400, 1350],
      [1500, 1450],
    ] as const) {
      await host.setUnderlayMtu(underlay)
      const followed = async (): Promise<boolean> =>
        (await host.link(DEVICE))?.mtu === overlay && (await host.subnetFile())?.mtu === overlay
      await waitFor(`MTU ${overlay}`, followed, { deadlineMs: HEALED_WITHIN_MS })
    }
  })

  test('an own lease deleted in etcd is published again with the same subnet, its own datapath untouched', async () => {
    const host = lab().host(1)
    const [lease, device] = [await leaseOf(lab(), host), await wholeDevice(host)]
    const key = lease.subnet.replace('/', '-')
    const revision = await lab().revision()
    await lab().deleteLease(key)
    const isBack = async (): Promise<boolean> => (await lab().leases()).some(({ name }) => name === key)
    await waitFor('the lease to be back', isBack)
    expect(await leaseOf(lab(), host)).toEqual(lease)
    expect(await wholeDevice(host)).toEqual(device)
    expect((await lab().revision()) - revision, 'the deletion and one write').toBe(2)
    await peersAre(lab().host(0), await peersOf(lab().host(0)))
  })

  test('a wiped etcd loses no ping between live nodes, and all publish themselves again', async () => {
    const before = await Promise.all(lab().hosts.map((host) => leaseOf(lab(), host)))
    const stream = await ping()
    const { member } = lab().etcd
    await member.stop('SIGKILL')
    member.wipe()
    await lab().etcd.restart()
    const after = async (): Promise<boolean> => (await lab().leases()).length === before.length
    await waitFor('every lease to be back', after, { deadlineMs: 30_000 })
    await stream.progress()
    expect((await stream.stop()).lost).toEqual([])
    expect(await Promise.all(lab().hosts.map((host) => leaseOf(lab(), host)))).toEqual(before)
    for (const host of lab().hosts) await peersAre(host, await peersOf(host))
  })
})
