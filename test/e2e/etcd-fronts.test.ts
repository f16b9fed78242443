import { afterAll, describe, expect, test } from 'vitest'
import { EtcdFront, type FrontKind } from '../lab/etcd-front.ts'
import { leaseOf, peersAre, readLease, type ReadLease } from '../lab/expected-tables.ts'
import { fails, holds, isReady, vxlanLease, waitFor, type Lab, type LabHost, type StoredLease } from '../lab/index.ts'
import { etcdAddress } from '../lab/underlay.ts'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'

/** What both take by default. */
const PORT = 23_790

/** A node that exists in etcd only. */
const MADE_UP: ReadLease = {
  base: '10.50.0.0',
  subnet: '10.50.0.0/20',
  publicIp: '192.168.205.77',
  mac: '82:00:00:00:00:77',
}

describe.each(['grpc-proxy', 'gateway'] as const)('agents that get to etcd through etcd %s', (kind: FrontKind) => {
  let front: EtcdFront | undefined
  const lab = useLab({ hosts: 3 }, async (it) => {
    const [host, port] = [etcdAddress(0), it.etcd.member.place.clientPort]
    const args = kind === 'gateway' ? ['--retry-delay=1s'] : []
    front = await EtcdFront.start(kind, { host, port: PORT }, { behind: [{ host, port }], args })
    await it.putConfig(CONFIG)
    for (const each of nodes(it)) start(each)
  })
  afterAll(() => front?.close())

  const start = ({ agent }: LabHost, ...flags: readonly string[]): void => {
    agent.start([`--etcd-endpoints=http://${etcdAddress(0)}:${PORT}`, ...flags])
  }
  /** Two are nodes from the start, the third comes when it is asked to. */
  const nodes = ({ hosts }: Lab): readonly LabHost[] => hosts.slice(0, 2)
  const first = (): LabHost => lab().host(0)

  async function storedLeaseOf(host: LabHost): Promise<StoredLease> {
    const { publicIp } = await leaseOf(lab(), host)
    const lease = (await lab().leases()).find((one) => readLease(one).publicIp === publicIp)
    if (lease === undefined) throw new Error(`${host.name} has no lease`)
    return lease
  }

  /** How many seconds the etcd lease of this key still runs. */
  async function secondsLeft({ name }: StoredLease): Promise<number> {
    const answer = await lab().etcdctl('get', `/coreos.com/network/subnets/${name}`, '-w', 'json')
    const id = BigInt(/"lease":(\d+)/.exec(answer)?.[1] ?? 0).toString(16)
    return Number(/remaining\((\d+)s\)/.exec(await lab().etcdctl('lease', 'timetolive', id))?.[1])
  }

  test('start, and know each other', async () => {
    const [one, other] = await Promise.all(nodes(lab()).map((host) => leaseOf(lab(), host)))
    if (one === undefined || other === undefined) throw new Error('there are two')
    await peersAre(lab().host(0), [other])
    await peersAre(lab().host(1), [one])
    await isReady(first())
  })

  test('start again with the lease they had, and renew it', async () => {
    const before = await storedLeaseOf(first())
    await waitFor('a second of the lease to be over', async () => (await secondsLeft(before)) < 86_399)
    await first().agent.stop()
    start(first())
    await waitFor('the lease to be renewed', async () => (await secondsLeft(before)) >= 86_399)
    await isReady(first())
    expect(await storedLeaseOf(first())).toEqual(before)
  })

  test('put a key of theirs back that was deleted, and are followed', async () => {
    const before = await storedLeaseOf(first())
    await lab().deleteLease(before.name)
    const again = await waitFor('the key to be back', async () =>
      (await lab().leases()).find(({ name }) => name === before.name),
    )
    expect(again.value).toBe(before.value)
    expect(again.createRevision).toBeGreaterThan(before.createRevision)
    await peersAre(lab().host(1), [readLease(again)])
  })

  test('follow peers that come, change and go', async () => {
    const other = await leaseOf(lab(), lab().host(1))
    const put = (peer: ReadLease): Promise<void> =>
      lab().putLease(peer.subnet.replace('/', '-'), vxlanLease(peer.publicIp, peer.mac))
    await put(MADE_UP)
    await peersAre(first(), [other, MADE_UP])
    await put({ ...MADE_UP, publicIp: '192.168.205.78' })
    await peersAre(first(), [other, { ...MADE_UP, publicIp: '192.168.205.78' }])
    await lab().deleteLease(MADE_UP.subnet.replace('/', '-'))
    await peersAre(first(), [other])
  })

  test('answer another node that asks whether they live', async () => {
    const [held, rival] = [await storedLeaseOf(first()), lab().host(2)]
    start(rival, `--public-ip=${first().address}`)
    await fails(rival, 'lease', /is in use/, { deadlineMs: 30_000 })
    expect(await storedLeaseOf(first())).toEqual(held)
    await rival.agent.stop()
  })

  test('follow a configuration that changes', async () => {
    await lab().putConfig({ ...CONFIG, Backend: { ...CONFIG.Backend, MTU: 1400 } })
    for (const host of nodes(lab()))
      await waitFor('the MTU to be followed', async () => (await host.link(DEVICE))?.mtu === 1350)
  })

  test('are whole again when etcd was away', async () => {
    await lab().etcd.member.stop('SIGKILL')
    await fails(first(), 'etcd', /out of reach/, { deadlineMs: 30_000 })
    await lab().etcd.restart()
    for (const host of nodes(lab())) await holds(host, 'etcd', { deadlineMs: 30_000 })
    const other = await leaseOf(lab(), lab().host(1))
    await lab().putLease(MADE_UP.subnet.replace('/', '-'), vxlanLease(MADE_UP.publicIp, MADE_UP.mac))
    await peersAre(first(), [other, MADE_UP])
  })
})
