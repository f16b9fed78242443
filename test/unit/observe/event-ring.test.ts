import { describe, expect, test } from 'vitest'
import { EventRing } from '../../../src/observe/event-ring.ts'
import { recordingLog } from '../../fake/recording-log.ts'

const make = (kept = 3) => {
  const [log, ring] = [recordingLog(), new EventRing(kept, () => 0)]
  return { log, ring, said: ring.recording(log) }
}

describe('the ring of events', () => {
  test('remembers what the log says at info and above, the last of it, with its kind and keys', () => {
    const { log, ring, said } = make()
    said.debug('nothing')
    said.info('one', { a: 1, none: undefined }, { kind: 'peer-joined', b: true })
    said.warn('two')
    said.error('three\nlines \u202e')
    said.info('four')
    expect(log.lines).toHaveLength(5)
    expect(ring.after()).toMatchObject([
      { id: 2, level: 'warn', kind: null, text: 'two', fields: {} },
      { id: 3, level: 'error', text: 'three lines \\u{202e}' },
      { id: 4, at: '1970-01-01T00:00:00.000Z', text: 'four' },
    ])
    expect(ring.after(3).map(({ id }) => id)).toEqual([4])
    said.info('five', { peer: 'x'.repeat(3_000), c: 'v' }, { kind: 'peer-left', c: 'of the event' })
    const [, , five] = ring.after()
    expect(five).toMatchObject({ kind: 'peer-left', fields: { c: 'v' } })
    expect(String(five?.fields['peer']).length).toBeLessThan(1_100)
  })

  test('tells whoever has seen an event of an earlier start all of this one', () => {
    const { ring, said } = make()
    said.info('one')
    expect(ring.after(1_000).map(({ text }) => text)).toEqual(['one'])
  })

  test('wakes who waits with the next, at the end of the time, and when it is told to stop', async () => {
    const { ring, said } = make()
    const stop = new AbortController()
    const waits = [ring.next(0, 60_000, stop.signal), ring.next(0, 60_000, stop.signal)]
    said.info('one')
    await Promise.all(waits)
    await ring.next(0, 60_000, stop.signal) // there is one already
    await ring.next(1, 10, stop.signal)
    const stopped = ring.next(1, 60_000, stop.signal)
    stop.abort()
    await stopped
  })
})
