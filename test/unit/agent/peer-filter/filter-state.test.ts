import { describe, expect, it } from 'vitest'
import {
  doubted,
  failed,
  failures,
  flapping,
  hasStood,
  looked,
  needsFullLook,
  NO_HOLD,
  NOT_YET,
  recovered,
  stood,
  whyHeld,
} from '../../../../src/agent/peer-filter/filter-state.ts'

const STANDING = stood(looked(NOT_YET, 1_000))

describe('what is known of the filter', () => {
  it('is nothing before it has stood, however often it was looked at', () => {
    expect([NOT_YET, looked(NOT_YET, 1_000), doubted(looked(NOT_YET, 1_000))].map(hasStood)).toEqual([
      false,
      false,
      false,
    ])
    expect(doubted(looked(NOT_YET, 1_000))).toBe(NOT_YET)
    expect(STANDING).toEqual({ is: 'standing', lookedAtMs: 1_000 })
  })

  it('is doubted by a failure, until somebody has looked', () => {
    expect(doubted(STANDING)).toEqual({ is: 'in doubt' })
    expect(looked(doubted(STANDING), 2_000)).toEqual({ is: 'standing', lookedAtMs: 2_000 })
  })

  it('has the addresses read in doubt, and again after a while', () => {
    expect(needsFullLook(STANDING, 1_999, 1_000)).toBe(false)
    expect(needsFullLook(STANDING, 2_000, 1_000)).toBe(true)
    expect(needsFullLook(doubted(STANDING), 1_000, 1_000)).toBe(true)
    expect(needsFullLook(looked(NOT_YET, 1_000), 1_000, 1_000)).toBe(true)
  })
})

describe('what keeps it from being put right', () => {
  it('counts failures in a row, and forgets them with the first success', () => {
    const twice = failed(failed(NO_HOLD, 1_000), 3_000)
    expect(twice).toEqual({ is: 'failing', times: 2, untilMs: 3_000, why: undefined })
    expect(failures(recovered(twice))).toBe(0)
    expect(recovered(twice)).toBe(NO_HOLD)
  })

  it('goes on flapping behind failures, until it flaps no more', () => {
    const both = failed(flapping(NO_HOLD, 'it is gone again and again'), 1_000)
    expect(whyHeld(both)).toBe('it is gone again and again')
    expect(recovered(both)).toEqual({ is: 'flapping', why: 'it is gone again and again' })
    expect(recovered(flapping(both, undefined))).toBe(NO_HOLD)
    expect(flapping(recovered(both), undefined)).toBe(NO_HOLD)
  })
})
