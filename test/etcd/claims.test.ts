import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AgentCounts } from '../../src/counts/agent-counts.ts'
import { PeersTask } from '../../src/agent/peers/peers-task.ts'
import { Conditions } from '../../src/agent/runtime/conditions.ts'
import { runTask } from '../../src/agent/runtime/task.ts'
import { backendJudge } from '../../src/backend/judge.ts'
import { vxlanBackend } from '../../src/backend/vxlan/backend.ts'
import type { EtcdLeaseStore } from '../../src/etcd/etcd-lease-store.ts'
import { EtcdSubnetManager } from '../../src/etcd/subnets/etcd-subnet-manager.ts'
import { systemClock } from '../../src/host/system-clock.ts'
import { PeerTable } from '../../src/lease/peers/peer-table.ts'
import { recordingLog } from '../fake/recording-log.ts'
import { runtime } from '../fake/runtime.ts'
import { leaseValue, OVERLAY, VTEP, VXLAN } from '../fake/samples.ts'
import { EtcdHarness, PREFIX } from './etcd-harness.ts'

const DEADLINE = { timeout: 20_000, interval: 20 }
const [VICTIM, OLD_KEY] = ['10.40.0.0-20', '10.30.0.0-20']
const MAC = '02:00:00:00:00:01'
const said = leaseValue({ publicIp: '192.168.205.1', mac: MAC })

let harness: EtcdHarness
let stop: AbortController
let running: Promise<void>
let there: Set<string>

beforeAll(async () => {
  harness = await EtcdHarness.start()
})
afterAll(() => harness.close())
beforeEach(async () => {
  ;[stop, running, there] = [new AbortController(), Promise.resolve(), new Set()]
  await harness.put(OLD_KEY, leaseValue({ publicIp: '192.168.205.9', mac: '02:00:00:00:00:02' }))
  await harness.put(VICTIM, said)
  await harness.put(VICTIM, said) // the next day
  await harness.put(OLD_KEY, leaseValue({ publicIp: '192.168.205.9', mac: MAC }))
  await harness.put(VICTIM, said) // and the next
})
afterEach(async () => {
  stop.abort()
  await running
  await harness.reset()
})

const managerOn = (store: EtcdLeaseStore): EtcdSubnetManager => {
  const log = recordingLog()
  const ports = {
    store,
    clock: systemClock,
    log,
    random: Math.random,
    wallMs: Date.now,
    resolveHost: () => Promise.resolve([]),
  }
  const conditions = new Conditions({ clock: systemClock, log })
  return new EtcdSubnetManager(
    { etcd: { endpoints: [], prefix: PREFIX }, renewMarginMs: 0 },
    { ...ports, conditions, counts: new AgentCounts() },
  )
}

/** Begins as an agent does that starts now. @returns its store */
async function arrive(): Promise<EtcdLeaseStore> {
  const store = harness.open()
  const backends = [vxlanBackend({ vtep: VTEP, config: VXLAN })]
  const limits = {
    overlays: [OVERLAY],
    own: [VTEP.subnet],
    interfaceOf: () => undefined,
    ownPublicIps: [],
    protectedPrefixes: [],
  }
  const task = new PeersTask({
    ports: {
      clock: systemClock,
      log: recordingLog(),
      subnets: managerOn(store),
      status: { rejected: () => undefined },
    },
    peers: new PeerTable(backendJudge({ backends, ownKey: '10.20.0.0-20', limits: () => limits })),
    sinks: [
      {
        setPeer: (key, entries) => {
          if (entries === undefined) there.delete(key)
          else there.add(key)
        },
        allowPruning: () => undefined,
        wake: () => undefined,
      },
    ],
    stalePeerGraceMs: 0,
  })
  void task.begin((await store.list(stop.signal)).records)
  running = runTask(task, runtime(systemClock, stop.signal))
  return store
}

describe('an old key that was rewritten to the VtepMAC of an upstream node before we started', () => {
  test('does not cut that node off: etcd is asked what both said before', async () => {
    await arrive()
    await expect.poll(() => [...there], DEADLINE).toEqual([VICTIM])
  })

  test('counts for older where etcd has compacted what would tell: nobody can know better', async () => {
    await harness.compact()
    const store = await arrive()
    const [old] = (await store.list(stop.signal)).records
    await expect(store.saidAt(OLD_KEY, old?.createRevision ?? 0n, stop.signal)).resolves.toBe('compacted')
    await expect.poll(() => [...there], DEADLINE).toEqual([OLD_KEY])
  })

  test('does not cut off a node that names itself, as ours do, whatever was compacted', async () => {
    await harness.put(
      VICTIM,
      leaseValue({ publicIp: '192.168.205.1', mac: MAC, node: { id: 'v', hostname: 'victim' } }),
    )
    await harness.put(OLD_KEY, leaseValue({ publicIp: '192.168.205.9', mac: MAC }))
    await harness.compact()
    await arrive()
    await expect.poll(() => [...there], DEADLINE).toEqual([VICTIM])
  })
})
