import { describe, expect, it } from 'vitest'
import { KernelError } from '../../../src/kernel/kernel.ts'
import { Damping } from '../../../src/time/damping.ts'

const middle = (): number => 0.5
const ROW = 'neighbour 10.1.0.0'
const REFUSAL = new KernelError({ op: 'route.replace', errno: 101, code: 'ENETUNREACH', target: '', message: 'no' })

describe('Damping with rows the kernel refuses', () => {
  it('makes them wait longer each time, and counts', () => {
    const patience = new Damping<KernelError>(middle)
    expect(patience.notBeforeMs(ROW)).toBe(0)
    expect(patience.refused(ROW, REFUSAL, 10_000)).toBe(1)
    expect(patience.notBeforeMs(ROW)).toBe(11_000)
    expect(patience.refused(ROW, REFUSAL, 11_000)).toBe(2)
    expect(patience.notBeforeMs(ROW)).toBe(13_000)
  })

  it.each([
    [
      'written',
      (patience: Damping<KernelError>) => {
        patience.written(ROW)
      },
    ],
    ['undone by somebody', (patience: Damping<KernelError>) => patience.undone(ROW, 11_000)],
    [
      'to hold something else',
      (patience: Damping<KernelError>) => {
        patience.forget(ROW)
      },
    ],
    [
      'forgiven',
      (patience: Damping<KernelError>) => {
        patience.clear()
      },
    ],
  ])('says what was refused, until the row is %s', (_, end) => {
    const patience = new Damping<KernelError>(middle)
    patience.refused(ROW, REFUSAL, 10_000)
    expect(patience.troubleOf(ROW)).toEqual({ is: 'refused', error: REFUSAL, times: 1 })
    end(patience)
    expect(patience.troubleOf(ROW)).toBeUndefined()
  })

  it('lets them wait no longer when told that it may be over, and goes on counting', () => {
    const patience = new Damping<KernelError>(middle)
    for (let times = 0; times < 6; times++) patience.refused(ROW, REFUSAL, 10_000)
    expect(patience.retryRefused()).toBe(true)
    expect(patience.notBeforeMs(ROW)).toBe(0)
    expect(patience.refused(ROW, REFUSAL, 10_000)).toBe(7)
  })

  it('lets only those wait no longer that are meant, and none that somebody keeps undoing', () => {
    const patience = new Damping<KernelError>(middle)
    expect(patience.retryRefused()).toBe(false)
    for (let times = 0; times < 4; times++) patience.undone('flapping', 10_000)
    expect(patience.retryRefused()).toBe(false)
    patience.refused(ROW, REFUSAL, 10_000)
    expect(patience.retryRefused((row) => row !== ROW)).toBe(false)
    expect(patience.notBeforeMs(ROW)).toBe(11_000)
    expect(patience.retryRefused()).toBe(true)
    expect([patience.notBeforeMs(ROW), patience.notBeforeMs('flapping')]).toEqual([0, 11_000])
  })

  it.each([
    [0, 48_000],
    [0.5, 60_000],
    [0.999_999, 72_000],
  ])('has a bound, give or take a fifth: chance %d, at most %i ms', (chance, mostMs) => {
    const patience = new Damping<KernelError>(() => chance)
    const waits = Array.from({ length: 60 }, () => {
      patience.refused(ROW, REFUSAL, 0)
      patience.undone('undone', 0)
      return [patience.notBeforeMs(ROW), patience.notBeforeMs('undone')]
    })
    for (const column of [0, 1])
      expect(Math.round(Math.max(...waits.map((pair) => pair[column] ?? Infinity)) / 10) * 10).toBe(mostMs)
  })

  it('counts what is undone in one go once, and lets that row be written at once, whatever the kernel said of it', () => {
    const patience = new Damping<KernelError>(middle, 1_000)
    patience.undone(ROW, 10_000)
    patience.refused(ROW, REFUSAL, 10_100)
    for (const ms of [10_200, 10_300, 10_400, 10_900]) expect(patience.undone(ROW, ms)).toBe(false)
    expect([patience.notBeforeMs(ROW), patience.troubleOf(ROW)]).toEqual([0, undefined])
    for (const ms of [11_000, 12_000]) expect(patience.undone(ROW, ms)).toBe(false)
    expect(patience.undone(ROW, 13_000)).toBe(true)
    expect(patience.undone(ROW, 13_100)).toBe(true) // flapping: every time counts
  })

  it('never makes another row wait', () => {
    const patience = new Damping<KernelError>(middle)
    patience.refused(ROW, REFUSAL, 10_000)
    expect(patience.notBeforeMs('another')).toBe(0)
  })

  it('starts over once the row was written', () => {
    const patience = new Damping<KernelError>(middle)
    patience.refused(ROW, REFUSAL, 10_000)
    patience.refused(ROW, REFUSAL, 11_000)
    patience.written(ROW)
    expect(patience.notBeforeMs(ROW)).toBe(0)
    expect(patience.refused(ROW, REFUSAL, 20_000)).toBe(1)
  })

  it('keeps counting over waits longer than a minute', () => {
    const patience = new Damping<KernelError>(() => 0.999)
    let nowMs = 0
    for (let times = 1; times <= 12; times++) {
      expect(patience.refused(ROW, REFUSAL, nowMs)).toBe(times)
      nowMs = patience.notBeforeMs(ROW)
      patience.expire(nowMs)
    }
    expect(patience.notBeforeMs(ROW) - nowMs).toBe(0)
  })

  it('forgets what nobody asks for any more', () => {
    const patience = new Damping<KernelError>(middle)
    patience.refused(ROW, REFUSAL, 10_000)
    patience.expire(71_000)
    expect(patience.notBeforeMs(ROW)).toBe(11_000)
    patience.expire(71_001)
    expect(patience.notBeforeMs(ROW)).toBe(0)
  })
})

describe('RowPatience with rows that somebody undoes', () => {
  it('heals three times at once, then ever more slowly', () => {
    const patience = new Damping<KernelError>(middle)
    const delays: number[] = []
    for (let nowMs = 0, times = 0; times < 6; times++) {
      const fought = patience.undone(ROW, nowMs)
      expect(fought).toBe(times >= 3)
      delays.push(Math.max(0, patience.notBeforeMs(ROW) - nowMs))
      nowMs = Math.max(nowMs, patience.notBeforeMs(ROW))
      patience.written(ROW)
    }
    expect(delays).toEqual([0, 0, 0, 1_000, 2_000, 4_000])
  })

  it('heals at once again after a quiet minute', () => {
    const patience = new Damping<KernelError>(middle)
    for (let times = 0; times < 4; times++) patience.undone(ROW, 0)
    patience.written(ROW)
    expect(patience.undone(ROW, 61_001)).toBe(false)
  })

  it('does not take its own long waiting for quiet: a fight stays a fight', () => {
    const patience = new Damping<KernelError>(() => 0.999)
    let nowMs = 0
    for (let times = 0; times < 20; times++) {
      expect(patience.undone(ROW, nowMs)).toBe(times >= 3)
      nowMs = Math.max(nowMs, patience.notBeforeMs(ROW))
      patience.written(ROW)
      patience.expire(nowMs)
    }
  })

  it('forgets everything when the device is gone', () => {
    const patience = new Damping<KernelError>(middle)
    for (let times = 0; times < 4; times++) patience.undone(ROW, 0)
    patience.clear()
    expect(patience.notBeforeMs(ROW)).toBe(0)
    expect(patience.undone(ROW, 1)).toBe(false)
  })
})
