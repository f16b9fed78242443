import { expect, test } from 'vitest'
import { followEvents, isForEventStream } from '../../../../src/agent/status/event-stream.ts'
import { EventRing } from '../../../../src/observe/event-ring.ts'
import { recordingLog } from '../../../fake/recording-log.ts'

function stream(ring: EventRing, seen?: string, query = '') {
  const stop = new AbortController()
  const header = (name: string): string | undefined => (name === 'last-event-id' ? seen : undefined)
  const { body, ...answer } = followEvents(ring, { header, query: new URLSearchParams(query), signal: stop.signal })
  const pieces = (body as AsyncIterable<string>)[Symbol.asyncIterator]()
  const next = async (): Promise<string> => String((await pieces.next()).value)
  return { answer, stop, pieces, next }
}

test('events come as they happen, from where the reader was', async () => {
  const ring = new EventRing(3, () => 0)
  const log = ring.recording(recordingLog())
  log.info('before')
  const { answer, next, stop, pieces } = stream(ring)
  expect(answer).toEqual({ status: 200, type: 'text/event-stream', isEndless: true })
  expect(await next()).toBe('retry: 3000\n\n')
  expect(await next()).toBe(':\n\n')
  const waiting = next()
  log.info('two\nlines')
  expect(await waiting).toMatch(/^id: 2\ndata: \{"id":2,.*"text":"two lines".*\}\n\n$/)
  const idle = pieces.next()
  stop.abort()
  expect(await idle).toEqual({ done: true, value: undefined })
})

test.each([
  ['1', '', ['2', '3', '4']],
  ['3', '', ['4']],
  [undefined, 'after=2', ['3', '4']],
  ['99', '', ['2', '3', '4']],
])('who has seen %j (%s) hears %j of four, of which three are remembered', async (seen, query, ids) => {
  const ring = new EventRing(3, () => 0)
  const log = ring.recording(recordingLog())
  for (const text of ['a', 'b', 'c', 'd']) log.info(text)
  const { next, stop } = stream(ring, seen, query)
  await next()
  for (const id of ids) expect(await next()).toContain(`id: ${id}\n`)
  stop.abort()
})

test('is asked for by its type', () => {
  expect(['text/event-stream', 'text/event-stream;q=1, */*'].map(isForEventStream)).toEqual([true, true])
  expect([undefined, 'application/json', '*/*'].map(isForEventStream)).toEqual([false, false, false])
})
