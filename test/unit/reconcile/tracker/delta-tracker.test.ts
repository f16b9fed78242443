import { describe, expect, it } from 'vitest'
import { DeltaTracker } from '../../../../src/reconcile/tracker/delta-tracker.ts'

const make = (): DeltaTracker<string, string> => new DeltaTracker((a, b) => a.toLowerCase() === b.toLowerCase())
const pending = (tracker: DeltaTracker<string, string>): readonly string[] =>
  [...tracker.pending()].map(({ key, desired = '-', actual = '-' }) => `${key}: ${actual} to ${desired}`)

describe('DeltaTracker', () => {
  it('names what is missing, what differs and what is too much', () => {
    const tracker = make()
    tracker.setDesired('missing', 'a')
    tracker.setDesired('wrong', 'a')
    tracker.setActual('wrong', 'b')
    tracker.setActual('extra', 'c')
    tracker.setDesired('right', 'd')
    tracker.setActual('right', 'D')
    expect(pending(tracker)).toEqual(['missing: - to a', 'wrong: b to a', 'extra: c to -'])
    expect(tracker.pendingSize).toBe(3)
    expect(tracker.desiredSize).toBe(3)
    expect(tracker.isPending('right')).toBe(false)
  })

  it.each<[string, (tracker: DeltaTracker<string, string>) => void]>([
    [
      'it comes to be',
      (tracker) => {
        tracker.setActual('k', 'a')
      },
    ],
    [
      'nobody wants it any more',
      (tracker) => {
        tracker.deleteDesired('k')
      },
    ],
    [
      'a dump shows it',
      (tracker) => {
        tracker.replaceActual([['k', 'a']])
      },
    ],
  ])('settles a missing value when %s', (_, act) => {
    const tracker = make()
    tracker.setDesired('k', 'a')
    act(tracker)
    expect(pending(tracker)).toEqual([])
  })

  it('takes a dump for the whole truth', () => {
    const tracker = make()
    for (const key of ['a', 'b', 'c']) {
      tracker.setDesired(key, 'x')
      tracker.setActual(key, 'x')
    }
    tracker.replaceActual([
      ['b', 'y'],
      ['c', 'x'],
      ['d', 'x'],
    ])
    expect(pending(tracker).toSorted()).toEqual(['a: - to x', 'b: y to x', 'd: x to -'])
    tracker.replaceActual([])
    expect(tracker.actual('c')).toBeUndefined()
    expect(tracker.pendingSize).toBe(3)
  })

  it('gives the differences in the order in which they arose', () => {
    const tracker = make()
    for (const key of ['c', 'a', 'b']) tracker.setDesired(key, 'x')
    tracker.setActual('c', 'x')
    tracker.deleteActual('c')
    expect(Array.from(tracker.pending(), ({ key }) => key)).toEqual(['a', 'b', 'c'])
  })
})
