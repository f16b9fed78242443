import { describe, expect, it } from 'vitest'
import { rejectedFor } from '../../../../src/lease/rejection.ts'
import { PeerTable, type Judge } from '../../../../src/lease/peers/peer-table.ts'
import type { PeerRecord } from '../../../../src/lease/lease.ts'
import type { LeaseRecord } from '../../../../src/lease/store.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { leaseRecord } from '../../../fake/samples.ts'
import { judgeThat, type Judgement } from '../../../fake/judges.ts'

/** A made-up rule: the value is a list of claims; `bad` is rejected, `own` ignored. */
function finds({ value }: PeerRecord): Judgement<string> {
  if (value === 'bad') return rejectedFor('malformed', 'it is bad')
  if (value === 'own') return { ignored: true }
  return { accepted: value, claims: { names: value.split(' '), subnets: [], addresses: [] }, isSigned: false }
}

const judge = judgeThat(finds)

/** `created` is the create revision: smaller is older. */
const peer = (key: string, created: number, value: string, modified = created): LeaseRecord =>
  leaseRecord(key, value, { createRevision: BigInt(created), modRevision: BigInt(modified) })

function tableOf(...records: readonly LeaseRecord[]): PeerTable<string> {
  const table = new PeerTable(judge)
  for (const record of records) table.put(record)
  table.drain()
  return table
}

/** What has changed in force, but for what was there before. */
const news = (table: PeerTable<string>): readonly unknown[] =>
  table.drain().map(({ key, entries }) => ({ key, entries }))

describe('PeerTable', () => {
  it('reports what appears, changes and goes away, once', () => {
    const table = new PeerTable(judge)
    table.put(peer('a', 1, 'm1'))
    expect(news(table)).toEqual([{ key: 'a', entries: 'm1' }])
    table.put(peer('a', 1, 'm2', 2))
    expect(news(table)).toEqual([{ key: 'a', entries: 'm2' }])
    table.delete('a')
    expect(news(table)).toEqual([{ key: 'a', entries: undefined }])
    expect(news(table)).toEqual([])
    expect(table.size).toBe(0)
  })

  it('says of each change what stood there before', () => {
    const table = tableOf(peer('a', 1, 'm1'))
    table.put(peer('a', 1, 'm2', 2))
    expect(table.drain()).toEqual([{ key: 'a', before: 'm1', entries: 'm2' }])
    table.delete('a')
    table.put(peer('b', 3, 'm3'))
    expect(table.drain()).toEqual([
      { key: 'a', before: 'm2', entries: undefined },
      { key: 'b', before: undefined, entries: 'm3' },
    ])
  })

  it('says nothing of a peer that came and went unseen', () => {
    const table = new PeerTable(judge)
    table.put(peer('a', 1, 'm1'))
    table.delete('a')
    table.delete('never seen')
    expect(news(table)).toEqual([])
  })

  it('rejects a bad lease for itself alone, with the reason, until it is mended', () => {
    const table = new PeerTable(judge)
    table.put(peer('a', 1, 'bad'))
    table.put(peer('b', 2, 'm2'))
    expect(news(table)).toEqual([{ key: 'b', entries: 'm2' }])
    expect([...table.rejected]).toEqual([['a', 'it is bad']])
    table.put(peer('a', 1, 'm1', 3))
    expect(news(table)).toEqual([{ key: 'a', entries: 'm1' }])
    expect(table.rejected.size).toBe(0)
  })

  it('takes a peer out of force when its lease turns bad', () => {
    const table = tableOf(peer('a', 1, 'm1'))
    table.put(peer('a', 1, 'bad', 2))
    expect(news(table)).toEqual([{ key: 'a', entries: undefined }])
    expect(table.size).toBe(0)
    table.delete('a')
    expect(table.rejected.size).toBe(0)
  })

  it('neither programs nor rejects what is innocently no peer', () => {
    const table = tableOf(peer('a', 1, 'own'))
    expect(table.size).toBe(0)
    expect(table.rejected.size).toBe(0)
  })
})

describe('PeerTable where two leases claim the same', () => {
  it('keeps the older and lets the younger wait, naming the older', () => {
    const table = new PeerTable(judge)
    table.put(peer('young', 2, 'mac'))
    table.put(peer('old', 1, 'mac'))
    expect(news(table)).toEqual([{ key: 'old', entries: 'mac' }])
    expect(table.rejected.get('young')).toContain('mac is held by old')
  })

  it('does not disturb the older when the younger comes, changes or goes', () => {
    const table = tableOf(peer('old', 1, 'mac'))
    table.put(peer('young', 2, 'mac'))
    expect(news(table)).toEqual([])
    table.put(peer('young', 2, 'mac ip', 3))
    expect(news(table)).toEqual([])
    table.delete('young')
    expect(news(table)).toEqual([])
    expect(table.rejected.size).toBe(0)
  })

  it('decides by the key where both were created in one transaction', () => {
    const table = new PeerTable(judge)
    table.put(peer('b', 1, 'mac'))
    table.put(peer('a', 1, 'mac'))
    expect(news(table)).toEqual([{ key: 'a', entries: 'mac' }])
  })

  it('hands over when the older goes, the going first', () => {
    const table = tableOf(peer('old', 1, 'mac'), peer('young', 2, 'mac'))
    table.delete('old')
    expect(news(table)).toEqual([
      { key: 'old', entries: undefined },
      { key: 'young', entries: 'mac' },
    ])
    expect(table.rejected.size).toBe(0)
  })

  it('hands over when the older claims something else', () => {
    const table = tableOf(peer('old', 1, 'mac'), peer('young', 2, 'mac'))
    table.put(peer('old', 1, 'other', 3))
    expect(news(table)).toEqual([
      { key: 'old', entries: 'other' },
      { key: 'young', entries: 'mac' },
    ])
  })

  it('hands over when the older turns bad', () => {
    const table = tableOf(peer('old', 1, 'mac'), peer('young', 2, 'mac'))
    table.put(peer('old', 1, 'bad', 3))
    expect(news(table)).toEqual([
      { key: 'old', entries: undefined },
      { key: 'young', entries: 'mac' },
    ])
  })

  it('wants every claim free, not one of them', () => {
    const table = tableOf(peer('a', 1, 'mac-1'), peer('b', 2, 'mac-2'), peer('c', 3, 'mac-1 mac-2'))
    expect(table.rejected.has('c')).toBe(true)
    table.delete('a')
    expect(news(table)).toEqual([{ key: 'a', entries: undefined }])
    table.delete('b')
    expect(news(table)).toEqual([
      { key: 'b', entries: undefined },
      { key: 'c', entries: 'mac-1 mac-2' },
    ])
  })
})

describe('PeerTable.replaceAll', () => {
  it('drops what is not listed, takes what is new, and leaves the rest alone', () => {
    const table = tableOf(peer('a', 1, 'm1'), peer('b', 2, 'm2'))
    table.replaceAll([peer('b', 2, 'm2'), peer('c', 3, 'm3')])
    expect(news(table)).toEqual([
      { key: 'a', entries: undefined },
      { key: 'c', entries: 'm3' },
    ])
  })

  it('forgets rejected and ignored leases that are not listed', () => {
    const table = tableOf(peer('a', 1, 'bad'), peer('b', 2, 'own'))
    table.replaceAll([])
    expect(table.rejected.size).toBe(0)
    expect(news(table)).toEqual([])
  })

  it('takes a changed value for changed even when a restored etcd gives it the same revision', () => {
    const table = tableOf(peer('a', 1, 'm1'))
    table.replaceAll([peer('a', 1, 'm2')])
    expect(news(table)).toEqual([{ key: 'a', entries: 'm2' }])
  })

  it('follows a creation that a restored etcd dates differently', () => {
    const table = tableOf(peer('a', 1, 'mac', 7), peer('b', 2, 'mac', 8))
    table.replaceAll([peer('a', 3, 'mac', 7), peer('b', 2, 'mac', 8)])
    expect(news(table)).toEqual([
      { key: 'a', entries: undefined },
      { key: 'b', entries: 'mac' },
    ])
  })
})

describe('PeerTable.replaceAll told to keep peers that are not listed', () => {
  it('keeps them in force, and drops them with the next list that does not keep them', () => {
    const table = tableOf(peer('a', 1, 'm1'), peer('b', 2, 'm2'))
    table.replaceAll([peer('b', 2, 'm2')], new Set(['a']))
    expect(
      table
        .drain()
        .filter(({ entries }) => entries === undefined)
        .map(({ key }) => key),
    ).toEqual([])
    expect(table.size).toBe(2)
    table.replaceAll([peer('b', 2, 'm2')])
    expect(news(table)).toEqual([{ key: 'a', entries: undefined }])
  })

  it('lets them give way to a younger peer that has a lease', () => {
    const table = tableOf(peer('a', 1, 'mac'))
    table.replaceAll([peer('b', 5, 'mac')], new Set(['a']))
    expect(news(table)).toEqual([
      { key: 'a', entries: undefined },
      { key: 'b', entries: 'mac' },
    ])
  })

  it.each([
    ['as it was', peer('a', 1, 'mac')],
    ['written anew', peer('a', 1, 'mac', 3)],
  ])('gives them their age back when they are listed again %s', (_, again) => {
    const table = tableOf(peer('a', 1, 'mac'))
    table.replaceAll([], new Set(['a']))
    table.replaceAll([again])
    table.put(peer('b', 5, 'mac'))
    table.drain()
    expect([...table.rejected.keys()]).toEqual(['b'])
  })
})

describe('PeerTable.retire', () => {
  it('keeps a peer in force until one with a lease wants the same, and drops it when it is deleted', () => {
    const table = tableOf(peer('a', 1, 'mac'), peer('b', 2, 'm2'))
    table.retire('a')
    table.retire('b')
    table.retire('never seen')
    table.drain()
    expect(table.size).toBe(2)
    table.put(peer('c', 9, 'mac'))
    table.drain()
    expect(table.rejected.get('a')).toBe('mac is held by c, whose lease still stands')
    table.delete('b')
    expect(news(table)).toEqual([{ key: 'b', entries: undefined }])
  })

  it('is undone by a put', () => {
    const table = tableOf(peer('a', 1, 'mac'))
    table.retire('a')
    table.put(peer('a', 1, 'mac', 2))
    table.put(peer('b', 5, 'mac'))
    table.drain()
    expect([...table.rejected.keys()]).toEqual(['b'])
  })
})

describe('PeerTable.rejudge', () => {
  /** A judge that can change its mind. */
  const moody = (): { bad: string; readonly judge: Judge<string> } => {
    const mood = {
      bad: 'nothing',
      judge: judgeThat<string>(
        (record): Judgement<string> =>
          record.value.startsWith(mood.bad) ? rejectedFor('other_vni', 'now it is bad') : finds(record),
        finds,
      ),
    }
    return mood
  }

  it('takes peers out of force that are bad by now, and back in when they no longer are', () => {
    const mood = moody()
    const table = new PeerTable(mood.judge)
    table.replaceAll([peer('a', 1, 'm1'), peer('b', 2, 'm2')])
    table.drain()
    mood.bad = 'm1'
    table.rejudge()
    expect(
      table
        .drain()
        .filter(({ entries }) => entries === undefined)
        .map(({ key }) => key),
    ).toEqual(['a'])
    expect(table.rejected.get('a')).toBe('now it is bad')
    mood.bad = 'm2'
    table.rejudge()
    table.drain()
    expect([...table.rejected.keys()]).toEqual(['b'])
  })

  it('gives nobody his age back whose lease is gone', () => {
    const mood = moody()
    const table = new PeerTable(mood.judge)
    table.replaceAll([peer('a', 1, 'mac'), peer('b', 5, 'mac')])
    table.retire('a')
    table.rejudge()
    table.drain()
    expect([...table.rejected.keys()]).toEqual(['a'])
  })

  it('leaves a rejected lease of more than a thousand characters for bad until it is written again', () => {
    const mood = moody()
    const table = new PeerTable(mood.judge)
    const long = `long ${'x'.repeat(2_000)}`
    mood.bad = 'long'
    table.put(peer('a', 1, long))
    mood.bad = 'nothing'
    table.rejudge()
    table.replaceAll([peer('a', 1, long)])
    expect(news(table)).toEqual([])
    expect([...table.rejected.keys()]).toEqual(['a'])
    table.replaceAll([peer('a', 1, `${long}y`)])
    expect(table.drain()).toHaveLength(1)
  })
})

describe('PeerTable where a wide subnet stands in the way of many', () => {
  const wide = peer('wide', 1, 'wide')
  const narrow = peer('narrow', 2, 'narrow')
  const free = peer('free', 3, 'free')
  const subnets: Record<string, string> = { wide: '10.0.0.0/8', narrow: '10.1.0.0/24', free: '192.168.0.0/24' }
  const table = (): PeerTable<string> =>
    new PeerTable(
      judgeThat(({ value }) => ({
        accepted: value,
        claims: { names: [], subnets: [prefix(subnets[value] ?? '')], addresses: [] },
        isSigned: false,
      })),
    )

  it('lets it stall nobody while it waits itself', () => {
    const peers = table()
    peers.replaceAll([peer('old', 0, 'narrow'), wide, peer('other', 2, 'wide'), free])
    expect(peers.drain().map(({ key }) => key)).toEqual(['old', 'free'])
  })

  it('lets those it stalled come when it goes, and go when it comes back', () => {
    const peers = table()
    peers.replaceAll([wide, narrow, free])
    expect(peers.drain().map(({ key }) => key)).toEqual(['wide', 'free'])
    peers.delete('wide')
    expect(news(peers)).toEqual([
      { key: 'wide', entries: undefined },
      { key: 'narrow', entries: 'narrow' },
    ])
    peers.put(wide)
    expect(news(peers)).toEqual([
      { key: 'narrow', entries: undefined },
      { key: 'wide', entries: 'wide' },
    ])
  })
})
