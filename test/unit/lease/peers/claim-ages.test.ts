import { describe, expect, it } from 'vitest'
import { backendJudge } from '../../../../src/backend/judge.ts'
import { vxlanBackend } from '../../../../src/backend/vxlan/backend.ts'
import type { EntriesByFamily } from '../../../../src/backend/judge.ts'
import { PeerTable } from '../../../../src/lease/peers/peer-table.ts'
import type { LeaseRecord } from '../../../../src/lease/store.ts'
import { leaseRecord, leaseValue, OVERLAY, VTEP, VXLAN } from '../../../fake/samples.ts'

const MAC = '02:00:00:00:00:01'
const OTHER_MAC = '02:00:00:00:00:02'
const [VICTIM, OLD_KEY, OTHER] = ['10.40.0.0-20', '10.30.0.0-20', '10.50.0.0-20']

const table = (): PeerTable<EntriesByFamily> =>
  new PeerTable(
    backendJudge({
      backends: [vxlanBackend({ vtep: VTEP, config: VXLAN })],
      ownKey: '10.20.0.0-20',
      limits: () => ({
        overlays: [OVERLAY],
        own: [VTEP.subnet],
        interfaceOf: () => undefined,
        ownPublicIps: [],
        protectedPrefixes: [],
      }),
    }),
  )

interface Says {
  readonly created: number
  readonly modified?: number
  readonly mac: string
  readonly publicIp: string
  readonly isOurs?: boolean
}

/** A lease as it stands; `isOurs`: it names its node. */
function lease(key: string, { created, modified = created, isOurs = false, ...said }: Says): LeaseRecord {
  const value = leaseValue({ ...said, ...(isOurs && { node: { id: `node of ${key}`, hostname: key } }) })
  return leaseRecord(key, value, { createRevision: BigInt(created), modRevision: BigInt(modified) })
}

const inForce = (peers: PeerTable<EntriesByFamily>, ...keys: readonly string[]): readonly string[] => {
  peers.drain()
  return keys.filter((key) => peers.isInForce(key))
}

/** What an old key can be made to say against a victim. */
const ATTACKS = [
  ['its VtepMAC', { mac: MAC, publicIp: '192.168.205.9' }],
  ['a PublicIP inside its subnet', { mac: OTHER_MAC, publicIp: '10.40.0.9' }],
] as const

const before = lease(OLD_KEY, { created: 3, mac: OTHER_MAC, publicIp: '192.168.205.9' })

describe.each(ATTACKS)('an old key that is rewritten to %s', (_, said) => {
  const after = lease(OLD_KEY, { created: 3, modified: 90, ...said })

  it.each([
    ['an agent of ours', true, 50],
    ['an upstream node that writes its lease again every day', false, 80],
  ])('does not cut %s off where both were seen all along', (_, isOurs, modified) => {
    const peers = table()
    const victim = { created: 50, mac: MAC, publicIp: '192.168.205.1', isOurs }
    peers.replaceAll([before, lease(VICTIM, victim)])
    peers.put(lease(VICTIM, { ...victim, modified }))
    peers.put(after)
    expect(inForce(peers, VICTIM, OLD_KEY)).toEqual([VICTIM])
    peers.put(lease(VICTIM, { ...victim, modified: 100 }))
    expect(inForce(peers, VICTIM, OLD_KEY)).toEqual([VICTIM])
    expect(peers.nextQuestion()).toBeUndefined()
  })

  it('does not cut a node of ours off for an agent that starts afterwards and cannot ask', () => {
    const peers = table()
    peers.replaceAll([after, lease(VICTIM, { created: 50, mac: MAC, publicIp: '192.168.205.1', isOurs: true })])
    expect(inForce(peers, VICTIM, OLD_KEY)).toEqual([VICTIM])
    const question = peers.nextQuestion()
    if (question !== undefined) peers.isForgotten(question)
    expect(inForce(peers, VICTIM, OLD_KEY)).toEqual([VICTIM])
  })

  it('does not cut an upstream node off for an agent that starts afterwards, once etcd has said what it said before', () => {
    const peers = table()
    const victim = { created: 50, mac: MAC, publicIp: '192.168.205.1' }
    peers.replaceAll([after, lease(VICTIM, { ...victim, modified: 80 })])
    peers.drain()
    const past = [before, lease(VICTIM, victim)]
    for (let asked = 0; asked < 2; asked++) {
      const question = peers.nextQuestion()
      if (question !== undefined)
        peers.testify(
          question,
          past.find(({ key }) => key === question.key),
        )
      peers.drain()
    }
    expect(inForce(peers, VICTIM, OLD_KEY)).toEqual([VICTIM])
    expect(peers.nextQuestion()).toBeUndefined()
  })

  it('is told apart by a new list as well as by a watch', () => {
    const peers = table()
    const victim = lease(VICTIM, { created: 50, mac: MAC, publicIp: '192.168.205.1' })
    peers.replaceAll([before, victim])
    peers.replaceAll([after, victim])
    expect(inForce(peers, VICTIM, OLD_KEY)).toEqual([VICTIM])
    expect(peers.nextQuestion()).toBeUndefined()
  })
})

describe('a claim', () => {
  it('is not lost to a key that waits for it when another claim of the same lease changes', () => {
    const peers = table()
    peers.put(lease(VICTIM, { created: 50, mac: MAC, publicIp: '192.168.205.1' }))
    peers.put(lease(OTHER, { created: 60, mac: MAC, publicIp: '192.168.205.2' }))
    peers.put(lease('10.40.0.0-24', { created: 61, mac: '02:00:00:00:00:03', publicIp: '192.168.205.3' }))
    peers.put(lease(VICTIM, { created: 50, modified: 70, mac: MAC, publicIp: '192.168.205.77' }))
    expect(inForce(peers, VICTIM, OTHER, '10.40.0.0-24')).toEqual([VICTIM])
  })

  it('ends with a delete, and with a change: whoever has waited gets what it was', () => {
    const peers = table()
    peers.put(lease(VICTIM, { created: 50, mac: MAC, publicIp: '192.168.205.1' }))
    peers.put(lease(OTHER, { created: 60, mac: MAC, publicIp: '192.168.205.2' }))
    peers.put(lease(VICTIM, { created: 50, modified: 70, mac: OTHER_MAC, publicIp: '192.168.205.1' }))
    expect(inForce(peers, VICTIM, OTHER)).toEqual([VICTIM, OTHER])
    peers.put(lease(VICTIM, { created: 50, modified: 80, mac: MAC, publicIp: '192.168.205.1' }))
    expect(inForce(peers, VICTIM, OTHER)).toEqual([OTHER])
    peers.delete(OTHER)
    expect(inForce(peers, VICTIM, OTHER)).toEqual([VICTIM])
    peers.put(lease(OTHER, { created: 90, mac: MAC, publicIp: '192.168.205.2' }))
    expect(inForce(peers, VICTIM, OTHER)).toEqual([VICTIM])
  })

  it('is what two nodes keep that swap their addresses', () => {
    const peers = table()
    peers.put(lease(VICTIM, { created: 50, mac: MAC, publicIp: '192.168.205.1' }))
    peers.put(lease(OTHER, { created: 60, mac: OTHER_MAC, publicIp: '192.168.205.2' }))
    peers.put(lease(VICTIM, { created: 50, modified: 70, mac: MAC, publicIp: '192.168.205.2' }))
    peers.put(lease(OTHER, { created: 60, modified: 71, mac: OTHER_MAC, publicIp: '192.168.205.1' }))
    expect(inForce(peers, VICTIM, OTHER)).toEqual([VICTIM, OTHER])
  })

  it.each([
    ['a device that was made anew', { mac: '02:00:00:00:00:07', publicIp: '192.168.205.1' }],
    ['another address', { mac: MAC, publicIp: '192.168.205.7' }],
  ])('is no conflict for a node with %s', (_, said) => {
    const peers = table()
    peers.put(lease(VICTIM, { created: 50, mac: MAC, publicIp: '192.168.205.1' }))
    peers.put(lease(OTHER, { created: 60, mac: OTHER_MAC, publicIp: '192.168.205.2' }))
    peers.put(lease(VICTIM, { created: 50, modified: 70, ...said }))
    expect(inForce(peers, VICTIM, OTHER)).toEqual([VICTIM, OTHER])
  })

  it('is as old as the write that makes a lease of a reservation', () => {
    const peers = table()
    peers.put(leaseRecord(OLD_KEY, '{"PublicIP":"192.168.205.9"}', { createRevision: 3n, modRevision: 3n }))
    peers.put(lease(VICTIM, { created: 50, mac: MAC, publicIp: '192.168.205.1' }))
    peers.put(lease(OLD_KEY, { created: 3, modified: 60, mac: MAC, publicIp: '192.168.205.9' }))
    expect(inForce(peers, VICTIM, OLD_KEY)).toEqual([VICTIM])
  })

  it('of a lease that stands unchanged in a restored store is as old as it was', () => {
    const peers = table()
    const victim = lease(VICTIM, { created: 50, mac: MAC, publicIp: '192.168.205.1' })
    const attacker = lease(OLD_KEY, { created: 3, modified: 90, mac: MAC, publicIp: '192.168.205.9' })
    peers.replaceAll([before, victim])
    peers.put(attacker)
    peers.replaceAll([attacker, victim], new Set(), true)
    expect(inForce(peers, VICTIM, OLD_KEY)).toEqual([VICTIM])
  })

  it('is never older than its key, though the history before was forgotten', () => {
    const peers = table()
    const victim = lease(VICTIM, { created: 30, mac: MAC, publicIp: '192.168.205.1' })
    const kept = lease(OLD_KEY, { created: 50, mac: OTHER_MAC, publicIp: '192.168.205.9' })
    const rewritten = lease(OLD_KEY, { created: 50, modified: 51, mac: MAC, publicIp: '192.168.205.9' })
    peers.replaceAll([kept])
    peers.replaceAll([], new Set([OLD_KEY]), true)
    peers.replaceAll([victim, rewritten])
    expect(inForce(peers, VICTIM, OLD_KEY)).toEqual([VICTIM])
  })
})

describe('between upstream nodes of which nobody can tell since when they say what they say', () => {
  it('the older key has it, though both are written again every day', () => {
    const peers = table()
    peers.replaceAll([
      lease(VICTIM, { created: 50, modified: 95, mac: MAC, publicIp: '192.168.205.1' }),
      lease(OTHER, { created: 60, modified: 90, mac: MAC, publicIp: '192.168.205.2' }),
    ])
    expect(inForce(peers, VICTIM, OTHER)).toEqual([VICTIM])
  })

  it('the one that was written last before a lease names its node has it before that one', () => {
    const peers = table()
    peers.replaceAll([
      lease(VICTIM, { created: 50, modified: 55, mac: MAC, publicIp: '192.168.205.1' }),
      lease(OTHER, { created: 60, mac: MAC, publicIp: '192.168.205.2', isOurs: true }),
    ])
    expect(inForce(peers, VICTIM, OTHER)).toEqual([VICTIM])
    expect(peers.nextQuestion()).toBeUndefined()
  })
})

describe('questions about the past', () => {
  /** A node with as many older keys that claim its MAC. */
  const crowd = (count: number): PeerTable<EntriesByFamily> => {
    const peers = table()
    const keys = Array.from({ length: count }, (_, at) => `10.${30 + Math.floor(at / 16)}.${(at % 16) * 16}.0-20`)
    peers.replaceAll([
      ...keys.map((key, at) => lease(key, { created: at, modified: 9_000, mac: MAC, publicIp: '192.168.205.9' })),
      lease('10.99.0.0-20', { created: 5_000, modified: 8_000, mac: MAC, publicIp: '192.168.205.1' }),
    ])
    peers.drain()
    return peers
  }

  it('are never asked twice, nor below what is compacted, nor more than a thousand times', () => {
    const [few, many] = [crowd(3), crowd(1_100)]
    const first = few.nextQuestion()
    expect(first).toBeDefined()
    if (first !== undefined) few.isForgotten({ ...first, revision: 9_000n })
    expect(few.nextQuestion()).toBeUndefined()
    let asked = 0
    while (many.nextQuestion() !== undefined) asked++
    expect(asked).toBe(1_000)
  })

  it('are not answered for another history', () => {
    const peers = table()
    const attacker = lease(OLD_KEY, { created: 3, modified: 90, mac: MAC, publicIp: '192.168.205.9' })
    const victim = lease(VICTIM, { created: 50, modified: 80, mac: MAC, publicIp: '192.168.205.1' })
    peers.replaceAll([attacker, victim])
    peers.drain()
    const question = peers.nextQuestion()
    peers.replaceAll([attacker, victim], new Set(), true)
    if (question !== undefined) peers.testify(question, before)
    expect(inForce(peers, VICTIM, OLD_KEY)).toEqual([OLD_KEY])
  })
})
