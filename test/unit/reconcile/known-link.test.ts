import { describe, expect, it } from 'vitest'
import { mac } from '../../../src/net/mac.ts'
import { ABSENT, linkAfter, takesRows, type KnownLink, type LinkEvent } from '../../../src/reconcile/known-link.ts'

const UP = { up: true, mac: mac('02:00:00:00:00:01'), mtu: 1450, master: undefined } as const
const RESULT: LinkEvent = { event: 'read' }
const ATTACHED: LinkEvent = { event: 'attached', index: 5 }
const report = (change: object = {}): LinkEvent => ({ event: 'reported', link: { ...UP, ...change } })

const after = (...events: readonly LinkEvent[]): KnownLink => events.reduce<KnownLink>(linkAfter, ABSENT)
const KNOWN = after(ATTACHED, { event: 'reading' }, RESULT, report(), { event: 'reading' }, RESULT)

describe('what is known of a link', () => {
  it('begins with tables that nobody has read, and nobody to blame for what is missing', () => {
    expect(after(ATTACHED)).toEqual({ is: 'attached', index: 5, trust: 'excused', isRead: false, seen: undefined })
    expect(KNOWN).toEqual({ is: 'attached', index: 5, trust: 'trusted', isRead: true, seen: UP })
  })

  it.each<[string, LinkEvent, object]>([
    ['the same once more', report(), { trust: 'trusted' }],
    ['another MTU', report({ mtu: 1400 }), { trust: 'doubted' }],
    ['a master', report({ master: 7 }), { trust: 'doubted' }],
    ['another MAC', report({ mac: mac('02:00:00:00:00:02') }), { trust: 'excused' }],
    ['that it is down', report({ up: false }), { trust: 'excused' }],
    ['that an address is gone', { event: 'address gone' }, { trust: 'excused', isRead: true }],
    ['rows in doubt', { event: 'rows in doubt' }, { trust: 'doubted', seen: UP }],
    ['everything in doubt', { event: 'all in doubt' }, { trust: 'doubted', seen: undefined }],
    ['the same index', ATTACHED, { trust: 'excused', isRead: true, seen: undefined }],
    ['another index', { event: 'attached', index: 6 }, { index: 6, trust: 'excused', isRead: false }],
  ])('after %s', (_, event, expected) => {
    expect(linkAfter(KNOWN, event)).toMatchObject(expected)
    expect(takesRows(KNOWN, event)).toBe(linkAfter(KNOWN, event).is === 'attached' && 'excused' === trustAfter(event))
  })

  it('goes with the link, and nothing but a link brings it back', () => {
    expect(linkAfter(KNOWN, { event: 'gone' })).toBe(ABSENT)
    for (const event of [report(), RESULT, { event: 'all in doubt' }, { event: 'reading' }] as const)
      expect(linkAfter(ABSENT, event)).toBe(ABSENT)
  })

  it('is doubted when it comes up, and excused by the first report', () => {
    const down = after(ATTACHED, report({ up: false }), { event: 'reading' }, RESULT)
    expect(linkAfter(down, report())).toMatchObject({ trust: 'doubted' })
    const unseen = after(ATTACHED, { event: 'reading' }, RESULT)
    expect(linkAfter(unseen, report())).toMatchObject({ trust: 'excused' })
  })

  it('stays excused until the tables have been read, however often that fails', () => {
    const reading = after(ATTACHED, { event: 'reading' })
    const failed = linkAfter(reading, { event: 'not read', before: 'excused' })
    expect(failed).toMatchObject({ trust: 'excused', isRead: false })
    expect(linkAfter(failed, { event: 'rows in doubt' })).toMatchObject({ trust: 'excused' })
    expect(linkAfter(linkAfter(KNOWN, { event: 'reading' }), { event: 'not read', before: 'trusted' })).toMatchObject({
      trust: 'doubted',
    })
  })
})

function trustAfter(event: LinkEvent): string {
  const link = linkAfter(KNOWN, event)
  return link.is === 'attached' ? link.trust : link.is
}
