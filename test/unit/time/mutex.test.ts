import { expect, it } from 'vitest'
import { Mutex } from '../../../src/time/mutex.ts'

const STOPPED = new Error('stopped')

it('lets one at a time have its turn, in the order they came, whatever becomes of those before', async () => {
  const mutex = new Mutex()
  const seen: string[] = []
  const task = (name: string, fails = false) =>
    mutex.take(async () => {
      seen.push(`${name} begins`)
      await Promise.resolve()
      seen.push(`${name} ends`)
      if (fails) throw new Error(name)
      return name
    })
  const results = await Promise.allSettled([task('a'), task('b', true), task('c')])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(seen).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
})

it('tells who stops waiting at once, begins nothing for them, and still lets what has begun end first', async () => {
  const mutex = new Mutex()
  const stop = new AbortController()
  const abort = { signal: stop.signal, error: () => STOPPED }
  const seen: string[] = []
  let end = (): void => undefined
  const first = mutex.take(
    () =>
      new Promise<void>((resolve) => {
        end = () => {
          seen.push('first')
          resolve()
        }
      }),
    abort,
  )
  const second = mutex.take(() => Promise.resolve(seen.push('second')), abort)
  const third = mutex.take(() => Promise.resolve(seen.push('third')))
  await new Promise(setImmediate)
  stop.abort()
  await expect(first).rejects.toBe(STOPPED)
  await expect(second).rejects.toBe(STOPPED)
  expect(seen).toEqual([])
  end()
  await third
  expect(seen).toEqual(['first', 'third'])
})
