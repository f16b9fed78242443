import { atOnce } from '../../../src/time/slices.ts'
import { describe, expect, it } from 'vitest'
import { addressOf, keyOf, MTU, OWN, ProbeWorld, publicIpOf } from './probe-world.ts'

/** Several peers that answer, and are known to. */
function settled(count: number, random?: () => number): ProbeWorld {
  const world = new ProbeWorld(random)
  for (let n = 1; n <= count; n++) world.join(n)
  world.until('all reachable', () => world.prober.book.counts().reachable === count, 120_000)
  return world
}

describe('a peer', () => {
  it('that answers is reachable, by one question of full size from our own address', () => {
    const world = new ProbeWorld()
    world.join(1)
    expect(world.reach(1)).toBe('unknown')
    world.pass(3_000)
    expect(world.reach(1)).toBe('reachable')
    expect(world.icmp.asked).toMatchObject([{ to: addressOf(1), from: OWN.text, packetLength: MTU }])
    expect(world.prober.book.reach(keyOf(1), 4)).toMatchObject({ rttMs: 1, loss: 0, hasAnswered: true })
  })

  it('that is cut off is unreachable within 20 seconds, and reachable again within 10 of being mended', () => {
    const world = settled(3)
    world.icmp.set(addressOf(2), { isCut: true })
    expect(world.until('unreachable', () => world.reach(2) === 'unreachable')).toBeLessThan(20_000)
    expect([world.reach(1), world.reach(3)]).toEqual(['reachable', 'reachable'])
    world.icmp.set(addressOf(2), {})
    expect(world.until('reachable', () => world.reach(2) === 'reachable')).toBeLessThan(10_000)
    expect(world.changes.map(({ before, after }) => [before.reach, after.reach])).toEqual([
      ...Array.from({ length: 3 }, () => ['unknown', 'reachable']),
      ['reachable', 'unreachable'],
      ['unreachable', 'reachable'],
    ])
  })

  it('that loses up to three packets in a row stays reachable', () => {
    const world = settled(1)
    const before = world.icmp.asked.length
    world.icmp.set(addressOf(1), { loses: (count) => count >= before && count < before + 3 })
    world.pass(60_000)
    expect(world.icmp.asked.length).toBeGreaterThan(before + 3)
    expect(world.changes).toHaveLength(1)
  })

  it('that never answers is unreachable once it has had the time to join', () => {
    const world = new ProbeWorld()
    world.icmp.set(addressOf(1), { isCut: true })
    world.join(1)
    world.pass(10_000)
    expect(world.reach(1)).toBe('unknown')
    world.pass(20_000)
    expect(world.prober.book.reach(keyOf(1), 4)).toMatchObject({ reach: 'unreachable', hasAnswered: false })
  })

  it.each([0.2, 0.35])('that loses %d of the packets is lossy, and is not when that is over', (share) => {
    const world = settled(2)
    // spread evenly, by the golden ratio
    world.icmp.set(addressOf(1), { loses: (count) => (count * 0.618) % 1 < share })
    expect(world.until('lossy', () => world.reach(1) === 'lossy', 120_000)).toBeLessThan(90_000)
    expect(world.prober.book.reach(keyOf(1), 4)?.loss).toBeGreaterThan(0.1)
    world.pass(30_000)
    expect(world.reach(1)).toBe('lossy')
    world.icmp.set(addressOf(1), {})
    expect(world.until('reachable', () => world.reach(1) === 'reachable')).toBeLessThan(60_000)
    expect(world.reach(2)).toBe('reachable')
  })

  it.each([1350, 1400, 1449, 68, 45])('that takes packets up to %d octets is told by that number', (passes) => {
    const world = settled(1)
    world.icmp.set(addressOf(1), { passes })
    expect(world.until('mtu', () => world.reach(1) === 'mtu', 90_000)).toBeLessThan(60_000)
    expect(world.prober.book.reach(keyOf(1), 4)).toMatchObject({ passesOctets: passes })
    world.pass(60_000)
    expect(world.reach(1)).toBe('mtu')
    world.icmp.set(addressOf(1), {})
    expect(world.until('reachable', () => world.reach(1) === 'reachable')).toBeLessThan(30_000)
    expect(world.prober.book.reach(keyOf(1), 4)?.passesOctets).toBeUndefined()
  })

  it('whose way becomes narrower still is told by the new number, and cut off by none', () => {
    const world = settled(1)
    world.icmp.set(addressOf(1), { passes: 1400 })
    world.until('mtu', () => world.reach(1) === 'mtu', 90_000)
    world.icmp.set(addressOf(1), { passes: 1300 })
    const octets = (): number | undefined => world.prober.book.reach(keyOf(1), 4)?.passesOctets
    world.until('narrower', () => octets() === 1300, 90_000)
    world.icmp.set(addressOf(1), { isCut: true })
    world.until('unreachable', () => world.reach(1) === 'unreachable')
  })

  it('whose loss only looks like a matter of size is not called one', () => {
    const world = settled(1)
    const from = world.icmp.asked.length
    // three packets of full size in a row, of which the second half of the questions is
    world.icmp.set(addressOf(1), { loses: (count) => count >= from && count < from + 6 && (count - from) % 2 === 0 })
    world.pass(120_000)
    expect(world.changes.map(({ after }) => after.reach)).not.toContain('mtu')
  })

  it('that moves to another address is asked anew, and one that stays is not', () => {
    const world = settled(1)
    const asked = world.icmp.asked.length
    world.join(1)
    expect(world.reach(1)).toBe('reachable')
    world.join(1, '192.168.9.9')
    expect(world.reach(1)).toBe('unknown')
    world.pass(3_000)
    expect(world.reach(1)).toBe('reachable')
    expect(world.icmp.asked.length).toBe(asked + 1)
  })

  it('that has left is neither asked nor known', () => {
    const world = settled(2)
    world.leave(1)
    const asked = world.icmp.asked.length
    world.pass(60_000)
    expect(world.reach(1)).toBeUndefined()
    expect(world.icmp.asked.slice(asked).map(({ to }) => to)).not.toContain(addressOf(1))
    expect(world.prober.book.counts()).toMatchObject({ reachable: 1, unreachable: 0 })
  })

  it('is heard when it asks us, whether it answers or not', () => {
    const world = settled(1)
    world.icmp.set(addressOf(1), { isCut: true })
    expect(world.prober.book.reach(keyOf(1), 4)?.heardMs).toBeUndefined()
    world.icmp.askFrom(addressOf(1))
    world.icmp.askFrom('10.1.77.0')
    world.pass(6_000)
    expect(world.prober.book.reach(keyOf(1), 4)?.heardMs).toBeGreaterThan(world.nowMs - 6_001)
  })
})

describe('what the underlay says', () => {
  it('of an unreachable peer is whether its PublicIP answers', () => {
    const world = settled(2)
    world.icmp.set(addressOf(1), { isCut: true })
    world.icmp.set(publicIpOf(1), { rttMs: 7 })
    const underlay = (): unknown => world.prober.book.reach(keyOf(1), 4)?.underlay
    world.until('asked', () => underlay() !== undefined)
    expect(underlay()).toEqual({ answers: true, rttMs: 7 })
    expect(world.icmp.asked.find(({ to }) => to === publicIpOf(1))).toMatchObject({ from: '192.168.0.1' })
  })

  it.each([
    [{ isCut: true }, { answers: false }],
    [{ says: 'host unreachable from 192.168.0.254' }, { answers: false, says: 'host unreachable from 192.168.0.254' }],
    [{ error: 'EPERM' }, { answers: false, says: 'EPERM when it is sent' }],
  ])('where it does not answer (%j)', (way, expected) => {
    const world = settled(2)
    world.icmp.set(addressOf(1), { isCut: true })
    world.icmp.set(publicIpOf(1), way)
    const underlay = (): unknown => world.prober.book.reach(keyOf(1), 4)?.underlay
    world.until('asked', () => underlay() !== undefined)
    expect(underlay()).toEqual(expected)
  })

  it('is asked of a hundred peers at most', () => {
    const world = settled(150)
    for (let n = 1; n <= 150; n++) world.icmp.set(addressOf(n), { isCut: true })
    world.until('all cut', () => world.prober.book.counts().unreachable === 150, 200_000)
    world.pass(20_000)
    const asked = new Set(world.icmp.asked.map(({ to }) => to).filter((to) => to.startsWith('192.')))
    expect(asked.size).toBe(100)
  })
})

describe('a question that has no room on this host', () => {
  const NO_ROOM = { error: 'ENOBUFS' } as const

  it('says nothing of a peer for ten seconds', () => {
    const world = settled(2)
    world.icmp.set(addressOf(1), NO_ROOM)
    void world.prober.askNow([keyOf(1)])
    world.wake()
    world.pass(9_000)
    expect(world.reach(1)).toBe('reachable')
    world.icmp.set(addressOf(1), {})
    world.pass(60_000)
    expect(world.reach(1)).toBe('reachable')
  })

  it('is one that is not answered when it never has any: a filter drops what is sent', () => {
    const world = settled(2)
    world.icmp.set(addressOf(1), NO_ROOM)
    void world.prober.askNow([keyOf(1)])
    world.wake()
    world.until('unreachable', () => world.reach(1) === 'unreachable', 30_000)
    expect(world.reach(2)).toBe('reachable')
    world.icmp.set(addressOf(1), {})
    world.until('back', () => world.reach(1) === 'reachable')
  })
})

describe('a question that is too large for whatever this host sends it by', () => {
  const askedNow = (way: Parameters<ProbeWorld['icmp']['set']>[1]): ProbeWorld => {
    const world = settled(2)
    world.icmp.set(addressOf(1), way)
    void world.prober.askNow([keyOf(1)])
    world.wake()
    return world
  }

  it('says nothing of a peer while the device has just got another MTU', () => {
    const world = askedNow({ ownMtu: 1_280 })
    world.pass(1_500)
    world.icmp.set(addressOf(1), {})
    world.pass(60_000)
    expect(world.changes.map(({ after }) => after.reach)).toEqual(['reachable', 'reachable'])
  })

  it('leads to smaller ones when it stays so, which somebody’s route may lead away as well', () => {
    const world = askedNow({ ownMtu: 1_280, isCut: true })
    expect(world.until('unreachable', () => world.reach(1) === 'unreachable', 30_000)).toBeLessThan(10_000)
    expect(world.reach(2)).toBe('reachable')
  })

  it('leads to the size that passes, where it is only that', () => {
    const world = askedNow({ ownMtu: 1_280 })
    world.until('mtu', () => world.reach(1) === 'mtu', 60_000)
    expect(world.prober.book.reach(keyOf(1), 4)).toMatchObject({ passesOctets: 1_280 })
  })
})

describe('answers', () => {
  it('count only from whom was asked, with the nonce that was sent', () => {
    const world = new ProbeWorld()
    world.icmp.set(addressOf(1), { isCut: true })
    world.join(1)
    for (let sequence = 0; sequence < 0x1_0000; sequence += 257)
      world.icmp.forge(addressOf(1), sequence, new Uint8Array(8))
    world.pass(40_000)
    expect(world.reach(1)).toBe('unreachable')
    world.icmp.set(addressOf(1), { answersFrom: addressOf(2) })
    world.pass(40_000)
    expect(world.reach(1)).toBe('unreachable')
  })

  it('that come late, or twice, or when somebody has set the clock, make no false round trip', () => {
    const world = settled(1)
    world.icmp.set(addressOf(1), { rttMs: 50 })
    world.pass(30_000)
    expect(world.prober.book.reach(keyOf(1), 4)?.rttMs).toBe(50)
    world.icmp.wallMs = -3_600_000
    world.pass(30_000)
    expect(world.prober.book.reach(keyOf(1), 4)?.rttMs).toBeLessThanOrEqual(150)
    expect(world.changes).toHaveLength(1)
  })
})

describe('while nothing can leave this host', () => {
  it('nobody is asked and nothing is known; afterwards all are asked again, and none is called cut off for it', () => {
    const world = settled(20)
    atOnce(world.prober.settingWay(4, undefined))
    world.wake()
    const asked = world.icmp.asked.length
    world.pass(120_000)
    expect(world.icmp.asked.length).toBe(asked)
    expect(world.reach(1)).toBe('unknown')
    expect(world.prober.book.counts()).toMatchObject({ unknown: 20, reachable: 0 })
    world.begin()
    expect(world.reach(1)).toBe('reachable')
    world.pass(5_000)
    expect(new Set(world.icmp.asked.slice(asked).map(({ to }) => to)).size).toBe(20)
    expect(world.prober.book.counts()).toMatchObject({ reachable: 20 })
    expect(world.changes).toHaveLength(20)
  })

  it('a host that was suspended calls none of them unreachable', () => {
    const world = settled(5)
    for (let n = 0; n < 40; n++) {
      world.pass(333)
      world.nowMs += 3_600_000 // what was under way is over, and nobody has read the answers
      world.icmp.lose()
    }
    world.pass(1_000)
    expect(world.changes.filter(({ after }) => after.reach !== 'reachable')).toEqual([])
  })
})

describe('whoever is asked for', () => {
  it('is asked before all others, and settled when it has answered', async () => {
    const world = settled(200)
    let isSettled = false
    const asked = world.prober.askNow([keyOf(77)]).then(() => (isSettled = true))
    world.wake()
    const before = world.icmp.asked.length
    world.pass(100)
    expect(world.icmp.asked[before]?.to).toBe(addressOf(77))
    world.pass(200)
    await asked
    expect(isSettled).toBe(true)
  })

  it('and is cut off, is settled when that is known, with what the underlay says', async () => {
    const world = settled(3)
    world.icmp.set(addressOf(2), { isCut: true })
    world.icmp.set(publicIpOf(2), { isCut: true })
    const asked = world.prober.askNow([keyOf(2), keyOf(1)])
    world.wake()
    world.pass(20_000)
    await asked
    expect(world.prober.book.reach(keyOf(2), 4)).toMatchObject({
      reach: 'unreachable',
      underlay: { answers: false },
    })
  })

  it('and is cut off as thousands are, stays before all others until that is known', async () => {
    const world = new ProbeWorld()
    for (let n = 1; n <= 3_000; n++) {
      world.icmp.set(addressOf(n), { isCut: true })
      world.icmp.set(publicIpOf(n), { isCut: true })
      world.join(n)
    }
    world.pass(60_000)
    expect(world.prober.book.counts().unknown).toBeGreaterThan(2_700)
    expect(world.reach(2_900)).toBe('unknown')
    const asked = world.prober.askNow([keyOf(2_900)])
    world.wake()
    world.pass(10_000)
    expect(world.reach(2_900)).toBe('unreachable')
    world.pass(10_000)
    await expect(Promise.race([asked.then(() => 'settled'), Promise.resolve().then(() => 'open')])).resolves.toBe(
      'settled',
    )
    expect(world.prober.book.reach(keyOf(2_900), 4)).toMatchObject({ underlay: { answers: false } })
  })

  it('and is no peer, or leaves, or cannot be asked, keeps nobody waiting', async () => {
    const world = settled(3)
    await world.prober.askNow(['nobody'])
    const left = world.prober.askNow([keyOf(1)])
    world.leave(1)
    await left
    const stopped = world.prober.askNow([keyOf(2)])
    atOnce(world.prober.settingWay(4, undefined))
    await stopped
    await world.prober.askNow([keyOf(3)])
  })
})

describe('the pace', () => {
  it.each([
    [1, 11_000],
    [30, 18_000],
    [100, 60_000],
    [1_000, 60_000],
    [2_000, 111_000],
  ])('of %d peers asks each within %d ms', (count, withinMs) => {
    let seed = 1
    const world = settled(count, () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647)
    world.pass(withinMs)
    for (let round = 0; round < 2; round++) {
      const before = world.icmp.asked.length
      world.pass(withinMs)
      expect(new Set(world.icmp.asked.slice(before).map(({ to }) => to)).size).toBe(count)
    }
  })

  it('of 10 000 that answer is twenty questions a second, which leave together', () => {
    let seed = 1
    const world = new ProbeWorld(() => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647)
    for (let n = 1; n <= 10_000; n++) world.join(n)
    world.until('all reachable', () => world.prober.book.counts().reachable === 10_000, 600_000)
    world.pass(60_000)
    const [asked, turns] = [world.icmp.asked.length, world.turns]
    world.pass(60_000)
    expect((world.icmp.asked.length - asked) / 60).toBeGreaterThan(10)
    expect((world.icmp.asked.length - asked) / 60).toBeLessThan(26)
    expect((world.turns - turns) / 60).toBeLessThan(1.5)
  })

  it('of 10 000 that do not answer is slower, and some are known not to within 80 seconds', () => {
    const world = new ProbeWorld()
    for (let n = 1; n <= 10_000; n++) {
      for (const at of [addressOf(n), publicIpOf(n)]) world.icmp.set(at, { isCut: true })
      world.join(n)
    }
    world.pass(80_000)
    expect(world.prober.book.counts().unreachable).toBeGreaterThan(1)
    const [asked, turns] = [world.icmp.asked.length, world.turns]
    world.pass(60_000)
    expect((world.icmp.asked.length - asked) / 60).toBeLessThan(21)
    expect((world.turns - turns) / 60).toBeLessThan(3)
    const joined = world.icmp.asked.length
    void world.prober.askNow([keyOf(5_000)])
    world.wake()
    world.pass(100)
    expect(world.icmp.asked[joined]?.to).toBe(addressOf(5_000))
  })
})
