import { describe, expect, it } from 'vitest'
import { CHECK_DEADLINE_MS, examine } from '../../../src/doctor/examine.ts'
import type { Check } from '../../../src/doctor/finding.ts'
import type { View } from '../../../src/doctor/view.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { finding } from './samples.ts'

const view = {} as View
const check = (name: string, look: Check<View>['look']): Check<View> => ({ name, look })
const well = check('well', () => Promise.resolve([finding()]))
const never = check('slow', () => new Promise(() => undefined))
const { signal } = new AbortController()

describe('an examination', () => {
  it('gathers what all checks find, in their order, and says which have ended', async () => {
    const progress: string[] = []
    const both = [well, check('other', () => Promise.resolve([finding({ cause: 'peer-off' })]))]
    const { found, notLookedInto } = await examine(both, view, {
      ...{ clock: new FakeClock(), signal },
      onProgress: (done, of, name) => progress.push(`${done}/${of} ${name}`),
    })
    expect(found.map(({ cause }) => cause)).toEqual(['udp-port-dropped-here', 'peer-off'])
    expect(notLookedInto).toEqual([])
    expect(progress.toSorted()).toEqual([expect.stringContaining('1/2'), expect.stringContaining('2/2')])
  })

  it('goes on without a check that fails, and says why', async () => {
    const broken = check('broken', () => {
      throw new Error('no such thing')
    })
    const { found, notLookedInto } = await examine([broken, well], view, { clock: new FakeClock(), signal })
    expect(found).toHaveLength(1)
    expect(notLookedInto).toEqual([{ what: 'broken', why: 'no such thing' }])
  })

  it('goes on without a check that does not come to an end, which is told to stop', async () => {
    const clock = new FakeClock()
    let given: AbortSignal | undefined
    const slow = check('slow', (_, own) => {
      given = own
      return new Promise(() => undefined)
    })
    const ended = examine([slow, well], view, { clock, signal })
    await clock.advance(CHECK_DEADLINE_MS)
    expect((await ended).notLookedInto).toEqual([{ what: 'slow', why: 'it took longer than 8 s' }])
    expect(given?.aborted).toBe(true)
    expect(clock.sleeping).toBe(0)
  })

  it('ends when it is asked to, whatever hangs', async () => {
    const stop = new AbortController()
    const ended = examine([never], view, { clock: new FakeClock(), signal: stop.signal })
    stop.abort(new Error('asked to stop'))
    await expect(ended).rejects.toThrow('asked to stop')
  })
})
