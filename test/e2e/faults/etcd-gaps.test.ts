import { afterEach, expect, onTestFinished, test } from 'vitest'
import { EtcdProxy } from '../../lab/etcd-proxy.ts'
import { fails, holds, type Lab } from '../../lab/index.ts'
import { lengthOfLog, says, timesSaid } from '../../lab/log.ts'
import { UNDERLAY } from '../../lab/underlay.ts'
import { CONFIG, useLab } from '../../lab/use-lab.ts'
import {
  allExact,
  changeLeases,
  FOLLOWED_WITHIN_MS,
  inCircle,
  losesNoPing,
  madeUpPeer,
  removeMadeUpPeers,
  type LeaseChanges,
} from './etcd-overlay.ts'

/** Where the agents are told to look for etcd. */
const FRONT = { host: UNDERLAY.gateway, port: 2379 }

let proxy: EtcdProxy | undefined

async function openFront({ etcd }: Lab): Promise<EtcdProxy> {
  const { host, clientPort: port } = etcd.member.place
  proxy = await EtcdProxy.start(FRONT, { host, port })
  return proxy
}

const lab = useLab({ hosts: 3 }, async (it) => {
  await it.putConfig(CONFIG)
  await openFront(it)
  for (const { agent } of it.hosts) agent.start([`--etcd-endpoints=http://${FRONT.host}:${FRONT.port}`])
  await Promise.all(it.hosts.map((host) => host.ready()))
  await allExact(it)
  await Promise.all(it.hosts.map((host) => host.addContainer()))
})

afterEach(async () => {
  await removeMadeUpPeers(lab())
  await allExact(lab(), 15_000)
})

const PEERS = 400
const CHANGES_AT_ONCE = 100
const CHANGES = 5_000
const CUT_EVERY_MS = 400

/** The next hundred peers in turn: four in five are new or changed, the fifth is deleted. */
function nextChanges(round: number): LeaseChanges {
  const numbers = Array.from({ length: CHANGES_AT_ONCE }, (_, at) => (round * CHANGES_AT_ONCE + at) % PEERS)
  const isDeleted = (number: number): boolean => (number + round) % 5 === 0
  return {
    put: numbers.filter((number) => !isDeleted(number)).map((number) => madeUpPeer(number, round)),
    remove: numbers.filter(isDeleted).map((number) => madeUpPeer(number).name),
  }
}

test('etcd: connections cut again and again during 5 000 lease changes: every table ends exact', async () => {
  const connectionsBefore = proxy?.attempts.length ?? 0
  await losesNoPing(inCircle(lab().hosts), async () => {
    const cutting = setInterval(() => proxy?.cut(), CUT_EVERY_MS)
    onTestFinished(() => {
      clearInterval(cutting)
    })
    for (let round = 0; round < CHANGES / CHANGES_AT_ONCE; round++) await changeLeases(lab(), nextChanges(round))
    clearInterval(cutting)
    await allExact(lab(), 15_000)
  })
  expect((proxy?.attempts.length ?? 0) - connectionsBefore, 'connections').toBeGreaterThan(3 * lab().hosts.length)
})

/** Reads of etcd so far, by its own count. */
async function reads({ etcd }: Lab): Promise<number> {
  const metrics = await (await fetch(`${etcd.member.endpoint}/metrics`)).text()
  const [, count = '0'] = /^grpc_server_started_total\{grpc_method="Range",.*\} (\S+)$/m.exec(metrics) ?? []
  return Number(count)
}

/** What an agent may ask etcd when it is back, for each of its watches: whether it is the same one, and one list. */
const MOST_READS_EACH = 24

test('etcd: history compacted while agents are cut off: listed again once, changed and deleted peers right', async () => {
  const { hosts } = lab()
  await changeLeases(lab(), { put: [1, 2, 3, 4].map((number) => madeUpPeer(number)) })
  await allExact(lab())
  for (const host of hosts) await holds(host, 'etcd', { deadlineMs: 15_000 })
  const skip = await Promise.all(hosts.map(lengthOfLog))
  await losesNoPing(inCircle(hosts), async () => {
    await proxy?.close()
    await Promise.all(hosts.map((host) => fails(host, 'etcd', /is out of reach/)))
    await changeLeases(lab(), { put: [madeUpPeer(1, 1), madeUpPeer(5)], remove: [madeUpPeer(2).name] })
    await changeLeases(lab(), { put: [{ name: madeUpPeer(3).name, value: madeUpPeer(3, 2).value }] })
    await lab().etcdctl('compact', '--physical', String(await lab().revision()))
    const before = await reads(lab())
    await openFront(lab())
    await Promise.all(
      hosts.map((host, at) => says(host, /compacted/, { deadlineMs: FOLLOWED_WITHIN_MS, skip: skip[at] ?? 0 })),
    )
    const during = (await reads(lab())) - before
    await allExact(lab(), FOLLOWED_WITHIN_MS)
    expect(during, 'reads').toBeLessThan(MOST_READS_EACH * hosts.length)
  })
  for (const [at, host] of hosts.entries()) expect(await timesSaid(host, /compacted/, { skip: skip[at] ?? 0 })).toBe(1)
})
