import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AgentCounts } from '../../../../src/counts/agent-counts.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import type { HeldSubnet, PeerChanges, PeerList } from '../../../../src/agent/runtime/subnet-manager.ts'
import { runTogether } from '../../../../src/agent/runtime/task.ts'
import { parseNetworkConfig } from '../../../../src/config/network.ts'
import { EtcdSubnetManager } from '../../../../src/etcd/subnets/etcd-subnet-manager.ts'
import type { LeaseTerms } from '../../../../src/lease/terms.ts'
import { ip } from '../../../../src/net/ip.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { FakeLeaseStore } from '../../../fake/fake-lease-store.ts'
import { recordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'
import { leaseValue, NODE, OVERLAY } from '../../../fake/samples.ts'

const MAC = '02:00:00:00:00:01'
const PEER = '10.30.0.0-20'
const PREFIX = '/coreos.com/network'

const TERMS: LeaseTerms = {
  node: NODE,
  instance: 'm',
  overlays: [OVERLAY],
  publicIps: new Map([[4, ip('192.168.205.10')]]),
  backendType: 'vxlan',
  backendData: () => ({ VNI: 100, VtepMAC: MAC }),
  previousSubnets: [],
  hintedSubnets: [],
  traceOf: () => undefined,
  avoid: [],
  ttlSeconds: 86_400,
}

let store: FakeLeaseStore
let clock: FakeClock
let manager: EtcdSubnetManager
let stop: AbortController
let lists: PeerList[]
let changes: PeerChanges[]
let running: Promise<void>

beforeEach(() => {
  store = new FakeLeaseStore()
  clock = new FakeClock()
  stop = new AbortController()
  ;[lists, changes, running] = [[], [], Promise.resolve()]
  const log = recordingLog()
  const etcd = { endpoints: ['http://192.168.205.2:2379'], prefix: PREFIX }
  const files = { certFile: undefined, keyFile: undefined, caFile: undefined, username: undefined, password: undefined }
  manager = new EtcdSubnetManager(
    { etcd: { ...etcd, ...files }, renewMarginMs: 3_600_000 },
    {
      store,
      clock,
      random: () => 0.5,
      log,
      conditions: new Conditions({ clock, log }),
      counts: new AgentCounts(),
      resolveHost: () => Promise.resolve([]),
      wallMs: Date.now,
    },
  )
  store.etcd.put(
    PEER,
    leaseValue({ publicIp: '192.168.205.30', mac: '02:00:00:00:00:30', node: { id: 'p', hostname: 'p' } }),
  )
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

async function hold(): Promise<{ readonly key: string; readonly held: HeldSubnet }> {
  const acquired = await manager.acquire(TERMS, stop.signal)
  const peers = {
    onList: (list: PeerList): undefined => void lists.push(list),
    onChanges: (change: PeerChanges): void => void changes.push(change),
  }
  const held = acquired.hold({ terms: TERMS, peers, isForwarding: () => true })
  running = runTogether(held.tasks, runtime(clock, stop.signal))
  await clock.settle()
  return { key: acquired.lease.key, held }
}

describe('the subnet manager over leases in etcd', () => {
  it('gets us a lease, and tells of all others', async () => {
    const acquired = await manager.acquire(TERMS, stop.signal)
    const { how, lease, peerCount } = acquired
    expect([how, store.etcd.get(lease.key)?.etcdLeaseId]).toEqual(['created', store.etcd.etcdLeaseIds[0]])
    const taken = acquired.takePeers().map(({ key }) => key)
    expect([peerCount, taken, acquired.takePeers()]).toEqual([1, [PEER], []])
  })

  it('puts our lease back, and says of it only that it was gone', async () => {
    const { key } = await hold()
    store.etcd.delete(key)
    await clock.settle()
    expect(store.etcd.get(key)).toBeDefined()
    expect(changes[0]).toEqual({ deltas: [], isOwnGone: true })
    expect(changes.flatMap(({ deltas }) => deltas)).toEqual([])
  })

  it('tells of what others publish and delete', async () => {
    await hold()
    store.etcd.delete(PEER)
    await clock.settle()
    expect(changes).toMatchObject([{ deltas: [{ kind: 'deleted', key: PEER }], isOwnGone: false }])
  })

  it('lists anew in another store, says whether ours was missing, and publishes it again', async () => {
    const { key } = await hold()
    store.etcd.wipe()
    await clock.settle()
    expect(lists[0]).toEqual({ records: [], isOwnMissing: true, wasReset: true })
    expect(store.etcd.get(key)).toBeDefined()
  })

  it('publishes what our terms have become', async () => {
    const { key, held } = await hold()
    held.publish({ ...TERMS, publicIps: new Map([[4, ip('192.168.205.77')]]) })
    await clock.settle()
    expect(store.etcd.get(key)?.value).toContain('"PublicIP":"192.168.205.77"')
  })

  it('ends when our lease has become another node’s, and says why', async () => {
    const { key, held } = await hold()
    expect(held.lost).toBeUndefined()
    store.etcd.put(key, leaseValue({ publicIp: '192.168.205.66', mac: MAC, node: { id: 'x', hostname: 'thief' } }))
    await running
    expect(held.lost).toBe(`lease ${key} now belongs to thief (x)`)
  })

  it('renews as soon as etcd answers again', async () => {
    await hold()
    store.disconnect()
    await clock.settle()
    const before = store.calls.length
    store.reconnect()
    await clock.settle()
    expect(store.calls.slice(before).map(({ op }) => op)).toContain('keepAlive')
  })
})

describe('the network configuration in etcd', () => {
  const first = async (): Promise<string | undefined> => {
    for await (const text of manager.configuration.watch(stop.signal)) return text
    throw new Error('nothing said')
  }

  it('is named by its key, and read and watched as text', async () => {
    expect(manager.configuration.name).toBe(`${PREFIX}/config`)
    expect([await manager.configuration.read(stop.signal), await first()]).toEqual([undefined, undefined])
    store.etcd.putConfig('{}')
    expect([await manager.configuration.read(stop.signal), await first()]).toEqual(['{}', '{}'])
  })

  it('must have an IPv4 network, for which a lease is named', () => {
    const text = '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/48"}'
    expect(() => {
      manager.configuration.check(parseNetworkConfig(text, 'config'))
    }).toThrow(/EnableIPv4/)
    expect(() => {
      manager.configuration.check(parseNetworkConfig('{"Network":"10.0.0.0/8"}', 'config'))
    }).not.toThrow()
  })
})
