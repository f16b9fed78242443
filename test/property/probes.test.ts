import { atOnce } from '../../src/time/slices.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { QuestionRoom } from '../../src/icmp/question-room.ts'
import { ipFromWords } from '../../src/net/ip.ts'
import { beginBisection, isDone, onMissed, onPassed } from '../../src/probe/asking/bisection.ts'
import { behindIpv4Header, decodeEcho, encodeEcho, IP_HEADER, NONCE_LENGTH, shortest } from '../../src/probe/echo.ts'
import { GRACE_MS, judge, type Judged } from '../../src/probe/asking/judge.ts'
import { REACHES } from '../../src/probe/reach.ts'
import { Roster } from '../../src/probe/asking/roster.ts'
import { HISTORY, newRow, type Row } from '../../src/probe/asking/row.ts'
import { addressOf, MTU, ProbeWorld, publicIpOf } from '../unit/probe/probe-world.ts'

const family = fc.constantFrom(4 as const, 6 as const)
const echo = fc.record({
  identifier: fc.nat(0xffff),
  sequence: fc.nat(0xffff),
  nonce: fc.uint8Array({ minLength: NONCE_LENGTH, maxLength: NONCE_LENGTH }),
})

/** RFC 1071: over a message whose checksum is right, all ones. */
function sumOf(bytes: Uint8Array): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}

describe('echo messages', () => {
  it('are read as they were written, have the length that is asked for, and a checksum that is right', () => {
    fc.assert(
      fc.property(family, echo, fc.integer({ min: 0, max: 9_000 }), (of, one, length) => {
        const bytes = encodeEcho(of, one, length)
        expect(bytes.length + IP_HEADER[of]).toBe(Math.max(length, shortest(of)))
        expect(decodeEcho(of, bytes.subarray(0, 64))).toEqual({ kind: 'request', ...one })
        if (of === 4) expect(sumOf(bytes)).toBe(0xffff)
      }),
    )
  })

  it('written into the same room one after the other are what they are alone', () => {
    const question = fc.record({ one: echo, to: fc.nat(0xffff_ffff), from: fc.nat(0xffff_ffff), length: fc.nat(9_000) })
    fc.assert(
      fc.property(family, fc.array(question, { maxLength: 8 }), (of, all) => {
        const room = new QuestionRoom(of)
        for (const { one, to, from, length } of all) {
          const [target, source] = [ipFromWords(of, to, from, 1, 2), ipFromWords(of, from, 3, to, 4)]
          expect([...room.write(one, target, source, length)]).toEqual([...encodeEcho(of, one, length)])
          expect([...room.to]).toEqual(target.bytes)
          expect([...room.from]).toEqual(source.bytes)
        }
      }),
    )
  })

  it('of others, cut off or made up, are none, and throw nothing', () => {
    fc.assert(
      fc.property(family, fc.uint8Array({ maxLength: 80 }), (of, bytes) => {
        const read = decodeEcho(of, bytes)
        if (read !== undefined) expect([...bytes.subarray(8, 12)]).toEqual([...Buffer.from('flan')])
        const behind = behindIpv4Header(bytes)
        if (behind !== undefined) expect(behind.length).toBeLessThanOrEqual(bytes.length - IP_HEADER[4])
      }),
    )
  })
})

describe('the search for the size that passes', () => {
  it('finds it, whatever it is, in few questions', () => {
    fc.assert(
      fc.property(fc.integer({ min: 68, max: 9_000 }), fc.nat(), fc.boolean(), (full, at, isHinted) => {
        const smallest = 40
        const passes = smallest + (at % (full - smallest + 1))
        let search = beginBisection(smallest, full)
        let asked = 0
        for (; !isDone(search); asked++)
          search = search.asking <= passes ? onPassed(search) : onMissed(search, isHinted ? passes : undefined)
        expect(search.passes).toBe(passes)
        expect(asked).toBeLessThan(50)
      }),
    )
  })
})

describe('rows', () => {
  const row: fc.Arbitrary<Row> = fc.record({
    reach: fc.constantFrom('unreachable', 'mtu', 'lossy', 'unknown', 'reachable'),
    sinceMs: fc.nat(),
    next: fc.constantFrom('full', 'small'),
    heardMs: fc.oneof(fc.nat(), fc.constant(NaN)),
    rttMs: fc.oneof(fc.float({ noNaN: true }), fc.constant(NaN)),
    missed: fc.nat(0xffff),
    asked: fc.nat(HISTORY),
    fullMisses: fc.nat(HISTORY),
    smallMisses: fc.nat(HISTORY),
    hits: fc.nat(HISTORY),
    extra: fc.nat(8),
    passes: fc.nat(0xffff),
    hasAnswered: fc.boolean(),
  })

  it('are kept as they are, each under its number, whoever comes and goes beside them', () => {
    const steps = fc.array(fc.oneof(fc.record({ add: row }), fc.record({ remove: fc.nat() })), { maxLength: 300 })
    fc.assert(
      fc.property(steps, (all) => {
        const roster = new Roster()
        const model = new Map<number, Row>()
        for (const step of all)
          if ('add' in step) model.set(roster.add(step.add, 4), step.add)
          else {
            const slot = [...model.keys()][step.remove % Math.max(1, model.size)]
            if (slot !== undefined) roster.remove(slot)
            if (slot !== undefined) model.delete(slot)
          }
        expect(roster.size).toBe(model.size)
        expect([...roster.slots()].sort((a, b) => a - b)).toEqual([...model.keys()].sort((a, b) => a - b))
        for (const [slot, one] of model) expect(roster.read(slot)).toEqual(one)
        for (const reach of REACHES)
          expect(roster.count(reach)).toBe([...model.values()].filter((one) => one.reach === reach).length)
      }),
    )
  })
})

describe('the judgement of a peer', () => {
  const outcomes = fc.array(fc.record({ isAnswered: fc.boolean(), afterMs: fc.nat(20_000) }), { maxLength: 120 })

  it('has it unreachable only after four small questions in a row were not answered, and never without a miss', () => {
    fc.assert(
      fc.property(outcomes, (all) => {
        let row = newRow(0)
        let [nowMs, misses] = [GRACE_MS, 0]
        for (const { isAnswered, afterMs } of all) {
          nowMs += afterMs
          const before = row
          const judged: Judged = judge(row, { size: row.next, nowMs, rttMs: isAnswered ? 1 : undefined })
          if (isAnswered) misses = 0
          else if (before.next === 'small') misses++
          row = judged.row
          if (row.reach === 'unreachable' && before.reach !== 'unreachable') expect(misses).toBeGreaterThanOrEqual(4)
          if (misses >= 4) expect(row.reach).toBe('unreachable')
          if (!isAnswered) expect(['reachable', before.reach, 'unreachable']).toContain(row.reach)
          if (row.reach !== before.reach) expect(row.sinceMs).toBe(nowMs)
          else expect(row.sinceMs).toBe(before.sinceMs)
        }
      }),
    )
  })

  it('ends as reachable when all is answered for long enough, wherever it began', () => {
    fc.assert(
      fc.property(outcomes, (all) => {
        let row = newRow(0)
        for (const { isAnswered } of all)
          row = judge(row, { size: row.next, nowMs: GRACE_MS, rttMs: isAnswered ? 1 : undefined }).row
        for (let n = 0; n < 2 * HISTORY; n++) row = judge(row, { size: row.next, nowMs: GRACE_MS, rttMs: 1 }).row
        expect(row.reach).toBe('reachable')
      }),
    )
  })
})

describe('the budget of questions', () => {
  const fault = fc.constantFrom({}, {}, { isCut: true }, { passes: 1_300 }, { loses: (n: number) => n % 3 === 0 }, { error: 'EPERM' }) // prettier-ignore
  const step = fc.record({
    who: fc.nat(),
    what: fc.oneof(
      fc.record({ way: fault }),
      fc.constant('leave' as const),
      fc.constant('join' as const),
      fc.constant('ask all' as const),
      fc.constant('stop' as const),
    ),
    afterMs: fc.nat(8_000),
  })

  it('is 50 in any second, whatever happens to however many peers, and nobody is forgotten', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 7, 60, 400), fc.array(step, { maxLength: 40 }), fc.nat(), (count, steps, seed) => {
        let state = seed + 1
        const world = new ProbeWorld(() => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647)
        const there = new Set<number>()
        const join = (n: number): void => {
          there.add(n)
          world.join(n)
        }
        for (let n = 1; n <= count; n++) join(n)
        for (const { who, what, afterMs } of steps) {
          const n = 1 + (who % count)
          if (what === 'leave') world.leave(n)
          if (what === 'leave') there.delete(n)
          if (what === 'join') join(n)
          if (what === 'ask all') void world.prober.askNow([...there].map((one) => `10.1.${one}.0-24`))
          if (what === 'stop') atOnce(world.prober.settingWay(4, undefined))
          if (typeof what === 'object') world.icmp.set(addressOf(n), what.way)
          world.wake()
          world.pass(afterMs)
          if (what === 'stop') world.begin()
        }
        const before = world.icmp.asked.length
        for (let n = 1; n <= count; n++) for (const at of [addressOf(n), publicIpOf(n)]) world.icmp.set(at, {})
        world.pass(120_000)
        const asked = new Set(world.icmp.asked.slice(before).map(({ to }) => to))
        expect([...there].filter((n) => !asked.has(addressOf(n)))).toEqual([])
        expect(world.prober.book.counts()).toMatchObject({ unreachable: 0, mtu: 0, unknown: 0 })
        const times = world.icmp.asked.map(({ atMs }) => atMs)
        for (const [at, ms] of times.entries()) expect((times[at + 50] ?? Infinity) - ms).toBeGreaterThanOrEqual(1_000)
        expect(world.icmp.asked.every(({ packetLength }) => packetLength <= MTU)).toBe(true)
      }),
      { numRuns: 25 },
    )
  })
})
