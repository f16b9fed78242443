import { beforeEach, describe, expect, it } from 'vitest'
import { PeerLog } from '../../../../src/agent/peers/peer-log.ts'
import type { EntriesByFamily, ReachablePeer } from '../../../../src/backend/judge.ts'
import type { PeerChange } from '../../../../src/lease/peers/peer-table.ts'
import { ip, type Family } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { NO_ENTRIES } from '../../../../src/reconcile/entries.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'

let clock: FakeClock
let log: RecordingLog
let peers: PeerLog

beforeEach(() => {
  clock = new FakeClock()
  log = recordingLog()
  peers = new PeerLog({ clock, log })
})

function at(publicIp: string, node?: string, publicIpv6?: string): EntriesByFamily {
  const parts = [publicIp, publicIpv6].flatMap((text): readonly [Family, ReachablePeer][] => {
    if (text === undefined) return []
    const address = ip(text)
    return [[address.family, { ...NO_ENTRIES, subnet: prefix('10.15.64.0/20'), publicIp: address, node }]]
  })
  return new Map(parts)
}

const joins = (count: number, from = 0): readonly PeerChange<EntriesByFamily>[] =>
  Array.from({ length: count }, (_, n) => ({
    key: `10.0.${n + from}.0-24`,
    before: undefined,
    entries: at('192.168.0.1'),
  }))

const infos = (): readonly string[] => log.lines.filter((line) => line.startsWith('info'))

/** @param there peers in force after these changes */
function say(changes: readonly PeerChange<EntriesByFamily>[], there: number): void {
  peers.say(changes)
  peers.count(there)
}

describe('the log of peers', () => {
  it('names each that joins, moves or leaves, with node, PublicIP and subnet', () => {
    const [there, elsewhere] = [at('192.168.0.7', 'host-two'), at('192.168.0.8', 'host-two')]
    const key = '10.15.64.0-20'
    say([{ key, before: undefined, entries: there }], 1)
    say([{ key, before: there, entries: elsewhere }], 1)
    say([{ key, before: elsewhere, entries: undefined }], 0)
    expect(log.lines).toEqual([
      'info peer joined node=host-two publicIp=192.168.0.7 subnet=10.15.64.0-20',
      'info peer moved node=host-two publicIp=192.168.0.8 from=192.168.0.7 subnet=10.15.64.0-20',
      'info peer left node=host-two publicIp=192.168.0.8 subnet=10.15.64.0-20',
    ])
  })

  it('counts many at once without naming any where nobody reads on', () => {
    const quiet = new PeerLog({ clock, log }, false)
    quiet.say(joins(3), true)
    quiet.say(joins(2, 3), true)
    quiet.count(5)
    expect(log.lines).toEqual(['info peers joined, left or moved joined=5 peers=5'])
    quiet.say(joins(1, 5))
    expect(log.lines).toHaveLength(2)
  })

  it('has both addresses of one with two families, and no name of one of upstream', () => {
    say([{ key: 'k', before: undefined, entries: at('192.168.0.7', undefined, 'fd00::7') }], 1)
    expect(log.lines).toEqual(['info peer joined publicIp=192.168.0.7 fd00::7 subnet=k'])
  })

  it('says at debug only that something else of a peer has changed', () => {
    say([{ key: 'k', before: at('192.168.0.7', 'a'), entries: at('192.168.0.7', 'b') }], 1)
    expect(log.lines).toEqual(['debug peer changed node=b publicIp=192.168.0.7 subnet=k'])
  })

  it('folds a bulk pass into one line, and names each at debug', () => {
    say(joins(5), 5)
    expect(infos()).toHaveLength(5)
    say([...joins(1_000, 5), { key: 'k', before: at('10.0.0.1'), entries: undefined }], 1_004)
    expect(infos().slice(5)).toEqual(['info peers joined, left or moved joined=1000 left=1 peers=1004'])
    expect(log.lines.filter((line) => line.startsWith('debug peer '))).toHaveLength(1_001)
  })

  it('counts those that are told of in parts as one', () => {
    peers.say(joins(256), true)
    peers.say(joins(3, 256), true)
    peers.count(259)
    expect(infos()).toEqual(['info peers joined, left or moved joined=259 peers=259'])
  })

  it('is bounded however they come, and leaves none uncounted', async () => {
    for (let second = 0; second < 600; second++) {
      say(joins(5, second), 5)
      await clock.advance(1_000)
    }
    const named = infos().filter((line) => line.startsWith('info peer joined')).length
    const counted = infos().reduce((sum, line) => sum + Number(/ joined=(\d+)/.exec(line)?.[1] ?? 0), 0)
    expect(named).toBeLessThan(30 + 101)
    expect(infos().length - named).toBeLessThan(61)
    expect(peers.dueInMs).toBeGreaterThan(0)
    await clock.advance(10_000)
    expect(peers.dueInMs).toBe(0)
    peers.count(5)
    const last = Number(/ joined=(\d+)/.exec(infos().at(-1) ?? '')?.[1])
    expect(named + counted + last).toBe(3_000)
    expect(peers.dueInMs).toBeUndefined()
  })
})
