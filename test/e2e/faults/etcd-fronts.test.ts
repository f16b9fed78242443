import { afterAll, describe, expect, test } from 'vitest'
import { EtcdFront, type FrontKind } from '../../lab/etcd-front.ts'
import { FOUND_DEAD_WITHIN_MS } from '../../lab/etcd-process.ts'
import { leaseOf, peersAre, readLease, type ReadLease } from '../../lab/expected-tables.ts'
import {
  fails,
  holds,
  isReady,
  vxlanLease,
  waitFor,
  type Lab,
  type LabHost,
  type StoredLease,
} from '../../lab/index.ts'
import { etcdAddress } from '../../lab/underlay.ts'
import { CONFIG, DEVICE, useLab } from '../../lab/use-lab.ts'

/** What both take by default. */
const PORT = 23_790

/** A node that exists in etcd only. */
const MADE_UP: ReadLease = {
  base: '10.50.0.0',
  subnet: '10.50.0.0/20',
  publicIp: '192.168.205.77',
  mac: '82:00:00:00:00:77',
}

describe.each(['grpc-proxy', 'gateway'] as const)('behind etcd %s', (kind: FrontKind) => {
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

  const put = ({ subnet, publicIp, mac }: ReadLease): Promise<void> =>
    lab().putLease(subnet.replace('/', '-'), vxlanLease(publicIp, mac))
  const remove = ({ subnet }: ReadLease): Promise<void> => lab().deleteLease(subnet.replace('/', '-'))

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

  test('etcd behind a proxy: agents start, and know each other', async () => {
    const [one, other] = await Promise.all(nodes(lab()).map((host) => leaseOf(lab(), host)))
    if (one === undefined || other === undefined) throw new Error('there are two')
    await peersAre(lab().host(0), [other])
    await peersAre(lab().host(1), [one])
    await isReady(first())
  })

  test('etcd behind a proxy: an agent starts again with the lease it had, and renews it', async () => {
    const before = await storedLeaseOf(first())
    await waitFor('a second of the lease to be over', async () => (await secondsLeft(before)) < 86_399)
    await first().agent.stop()
    start(first())
    await waitFor('the lease to be renewed', async () => (await secondsLeft(before)) >= 86_399)
    await isReady(first())
    expect(await storedLeaseOf(first())).toEqual(before)
  })

  test('etcd behind a proxy: a deleted own key is back, and followed', async () => {
    const before = await storedLeaseOf(first())
    await lab().deleteLease(before.name)
    const again = await waitFor('the key to be back', async () =>
      (await lab().leases()).find(({ name }) => name === before.name),
    )
    expect(again.value).toBe(before.value)
    expect(again.createRevision).toBeGreaterThan(before.createRevision)
    await peersAre(lab().host(1), [readLease(again)])
  })

  test('etcd behind a proxy: peers that come, change and go are followed', async () => {
    const other = await leaseOf(lab(), lab().host(1))
    await put(MADE_UP)
    await peersAre(first(), [other, MADE_UP])
    await put({ ...MADE_UP, publicIp: '192.168.205.78' })
    await peersAre(first(), [other, { ...MADE_UP, publicIp: '192.168.205.78' }])
    await remove(MADE_UP)
    await peersAre(first(), [other])
  })

  test('etcd behind a proxy: another node that asks whether its rival lives is answered', async () => {
    const [held, rival] = [await storedLeaseOf(first()), lab().host(2)]
    start(rival, `--public-ip=${first().address}`)
    await fails(rival, 'lease', /is in use/, { deadlineMs: 30_000 })
    expect(await storedLeaseOf(first())).toEqual(held)
    await rival.agent.stop()
  })

  test('etcd behind a proxy: a configuration that changes is followed', async () => {
    await lab().putConfig({ ...CONFIG, Backend: { ...CONFIG.Backend, MTU: 1400 } })
    for (const host of nodes(lab()))
      await waitFor('the MTU to be followed', async () => (await host.link(DEVICE))?.mtu === 1350)
  })

  test.each([
    ['etcd behind a proxy: killed: found within 12 s, changes are followed when it is back', 'kill'],
    ['etcd behind a proxy: frozen: found within 12 s, changes are followed when it is back', 'freeze'],
  ] as const)('%s', async (_, how) => {
    const { member } = lab().etcd
    const other = await leaseOf(lab(), lab().host(1))
    if (how === 'kill') await member.stop('SIGKILL')
    else member.freeze()
    for (const host of nodes(lab())) await fails(host, 'etcd', /out of reach/, { deadlineMs: FOUND_DEAD_WITHIN_MS })
    member.thaw()
    await lab().etcd.restart()
    for (const host of nodes(lab())) await holds(host, 'etcd', { deadlineMs: 30_000 })
    await put(MADE_UP)
    await peersAre(first(), [other, MADE_UP])
    await remove(MADE_UP)
    await peersAre(first(), [other])
  })
})
