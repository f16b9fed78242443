import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { systemClock } from '../../../src/host/system-clock.ts'
import { within } from '../../../src/time/within.ts'

const clock = systemClock

const aborted = (signal: AbortSignal): Promise<string> =>
  new Promise((done) => {
    if (signal.aborted) done('at once')
    signal.addEventListener('abort', () => {
      done('aborted')
    })
  })

test('what takes longer is told to stop, and so is what nobody waits for any more', async () => {
  const { signal } = new AbortController()
  expect(await within({ clock, ms: 1, signal }, aborted)).toBe('aborted')
  const gone = new AbortController()
  const waiting = within({ clock, ms: 600_000, signal: gone.signal }, aborted)
  gone.abort()
  expect(await waiting).toBe('aborted')
  expect(await within({ clock, ms: 600_000, signal: gone.signal }, aborted)).toBe('at once')
})

test('nothing is left of what is over, or has failed', async () => {
  const { signal } = new AbortController()
  expect(await within({ clock, ms: 600_000, signal }, () => Promise.resolve(7))).toBe(7)
  await expect(within({ clock, ms: 600_000, signal }, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(getEventListeners(signal, 'abort')).toEqual([])
})
