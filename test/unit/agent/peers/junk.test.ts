import { describe, expect, it } from 'vitest'
import { PeersTask } from '../../../../src/agent/peers/peers-task.ts'
import { backendJudge } from '../../../../src/backend/judge.ts'
import { vxlanBackend } from '../../../../src/backend/vxlan/backend.ts'
import type { PeerRecord } from '../../../../src/lease/lease.ts'
import { PeerTable } from '../../../../src/lease/peers/peer-table.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog } from '../../../fake/recording-log.ts'
import { leaseRecord, leaseValue, OVERLAY, VTEP, VXLAN } from '../../../fake/samples.ts'

const HONEST = '10.99.0.0-20'
const MAC = '02:00:00:00:00:01'
const honest = (revision: number, host = 1): PeerRecord =>
  leaseRecord(HONEST, leaseValue({ publicIp: `192.168.205.${host}`, mac: MAC }), {
    createRevision: 1n,
    modRevision: BigInt(revision),
  })

/** As many subnets as are asked for, none of which is the honest peer's. */
const subnet = (at: number): string => `10.${30 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}-32`

/** Each kind of what is rejected, or waits. */
const KINDS: readonly (readonly [kind: string, junk: (at: number) => readonly [key: string, value: string]])[] = [
  ['cannot be read', (at) => [`junk ${at}`, '{']],
  ['cannot be read, and is long', (at) => [subnet(at), `{"x":"${'y'.repeat(2_000)}`]],
  ['breaks a rule', (at) => [subnet(at), leaseValue({ publicIp: '127.0.0.1', mac: MAC })]],
  ['claims the MAC of an honest peer', (at) => [subnet(at), leaseValue({ publicIp: '192.168.205.9', mac: MAC })]],
  [
    'claims an address in the subnet of an honest peer',
    (at) => [subnet(at), leaseValue({ publicIp: '10.99.0.9', mac: `02:00:00:01:${hex(at >> 8)}:${hex(at & 255)}` })],
  ],
  [
    'claims a part of the subnet of an honest peer',
    (at) => [
      `10.99.${(at >> 8) & 15}.${at & 255}-32&fd00::${(at >> 12).toString(16)}:0-112`,
      leaseValue({ publicIp: '192.168.205.9', mac: `02:00:00:01:${hex(at >> 8)}:${hex(at & 255)}` }),
    ],
  ],
]
const hex = (octet: number): string => (octet & 255).toString(16).padStart(2, '0')

interface Flooded {
  readonly task: PeersTask
  readonly told: string[]
  readonly lines: readonly string[]
  revision: number
}

function flooded(count: number, junk: (at: number) => readonly [string, string]): Flooded {
  const [told, log] = [[] as string[], recordingLog()]
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
      clock: new FakeClock(),
      log,
      subnets: { saidAt: () => Promise.resolve('forgotten') },
      status: { rejected: () => undefined },
    },
    peers: new PeerTable(backendJudge({ backends, ownKey: '10.20.0.0-20', limits: () => limits })),
    sinks: [{ setPeer: (key) => void told.push(key), allowPruning: () => undefined, wake: () => undefined }],
    stalePeerGraceMs: 0,
  })
  const flood = Array.from({ length: count }, (_, at) => {
    const [key, value] = junk(at)
    return leaseRecord(key, value, { createRevision: BigInt(at + 2), modRevision: BigInt(at + 2) })
  })
  void task.begin([honest(1), ...flood])
  return { task, told, lines: log.lines, revision: count + 2 }
}

/** Measured in turns, so often; the cheapest counts, since whatever else runs only ever adds. */
const ROUNDS = 8

/** One put of an honest peer at a time, and one of junk. @returns µs of processor time for each pair */
function costOfEvents(flood: Flooded, junk: (at: number) => readonly [string, string]): number {
  const events = 100
  const put = (record: PeerRecord): void => {
    flood.task.onChanges({ deltas: [{ kind: 'put', record }], isOwnGone: false })
  }
  const young = (at: number): PeerRecord => {
    const value = leaseValue({ publicIp: `192.168.205.${(at % 100) + 2}`, mac: '02:00:00:00:00:77' })
    const modRevision = BigInt(flood.revision++)
    return leaseRecord('10.98.0.0-20', value, { createRevision: modRevision, modRevision })
  }
  const before = process.cpuUsage()
  for (let at = 0; at < events; at++) {
    put(young(at))
    const [key, value] = junk(at)
    const modRevision = BigInt(flood.revision++)
    put(leaseRecord(key, `${value} `, { createRevision: modRevision, modRevision }))
    if (at % 2 === 0) flood.task.onChanges({ deltas: [{ kind: 'deleted', key }], isOwnGone: false })
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / events
}

describe('a flood of leases of which each', () => {
  it.each(KINDS)('%s does not make later events dearer, nor fills the log', (_, junk) => {
    const [few, many] = [flooded(200, junk), flooded(20_000, junk)]
    const rounds = Array.from({ length: ROUNDS }, () => [costOfEvents(few, junk), costOfEvents(many, junk)] as const)
    const cheapest = (of: 0 | 1): number => Math.min(...rounds.map((round) => round[of]))
    expect(cheapest(1) / cheapest(0)).toBeLessThan(4)
    expect(many.told.filter((key) => key === HONEST)).toEqual([HONEST])
    expect(many.told.filter((key) => key === '10.98.0.0-20').length).toBeGreaterThan(100)
    expect(many.lines.filter((line) => line.startsWith('warn')).length).toBeLessThan(130)
  })
})
