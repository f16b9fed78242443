import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import type { Challenge, Challenger, Challenges } from '../../src/lease/challenges.ts'
import type { LeaseStore } from '../../src/lease/store.ts'
import type { LeaseStoreHarness } from './lease-store-contract.ts'

const LEASE = '10.1.0.0-24'
/** Longer than any answer takes, and as long as a test waits for one that must come. */
const PATIENT_MS = 20_000
const DEADLINE = { timeout: 30_000, interval: 10 }
const signal = new AbortController().signal

const challenger = (name: string): Challenger => ({ id: name, hostname: `host of ${name}`, instance: `run of ${name}` })
const [asker, second, holder] = [challenger('asker'), challenger('second'), challenger('holder')]

/** Everything one holder has heard. */
class Hearing {
  readonly heard: Challenge[] = []
  ended = false
  readonly #stop = new AbortController()

  /** @param by answers everything in this name; undefined: only listens */
  constructor(store: Challenges, by?: Challenger, key = LEASE) {
    void this.#listen(store, by, key)
  }

  get from(): readonly (string | undefined)[] {
    return this.heard.map(({ from }) => from?.id)
  }

  abort(): void {
    this.#stop.abort()
  }

  async #listen(store: Challenges, by: Challenger | undefined, key: string): Promise<void> {
    for await (const challenge of store.challenges(key, this.#stop.signal)) {
      this.heard.push(challenge)
      if (by !== undefined) await store.answer(challenge, by, signal).catch(() => undefined)
    }
    this.ended = true
  }
}

/** What every implementation of {@link Challenges} does. */
export function challengeContract(name: string, makeHarness: () => Promise<LeaseStoreHarness>): void {
  describe(`${name} as a place for challenges`, () => {
    let harness: LeaseStoreHarness
    let ours: LeaseStore & Challenges
    let theirs: LeaseStore & Challenges
    const hearings: Hearing[] = []
    beforeAll(async () => {
      harness = await makeHarness()
    })
    beforeEach(() => {
      ours = harness.open()
      theirs = harness.open()
    })
    afterEach(async () => {
      for (const hearing of hearings.splice(0)) hearing.abort()
      await harness.reset()
    })
    afterAll(() => harness.close())

    function listen(by?: Challenger, key?: string): Hearing {
      const hearing = new Hearing(theirs, by, key)
      hearings.push(hearing)
      return hearing
    }

    const nothingLeft = async (): Promise<void> => {
      await expect.poll(() => harness.challengeNames(), DEADLINE).toEqual([])
      await expect.poll(() => harness.etcdLeaseIds(), DEADLINE).toEqual([])
    }

    test('a holder that lives answers at once, and nothing is left behind', async () => {
      const hearing = listen(holder)
      const askedAtMs = performance.now()
      expect(await ours.ask(LEASE, asker, PATIENT_MS, signal)).toEqual(holder)
      expect(performance.now() - askedAtMs).toBeLessThan(PATIENT_MS / 4)
      expect(hearing.heard).toMatchObject([{ key: LEASE, from: asker }])
      await nothingLeft()
    })

    test('silence is told as silence after the wait, and nothing is left behind', async () => {
      const askedAtMs = performance.now()
      expect(await ours.ask(LEASE, asker, 300, signal)).toBeUndefined()
      expect(performance.now() - askedAtMs).toBeGreaterThanOrEqual(290)
      await nothingLeft()
    })

    test('a holder that begins to listen later hears what is pending', async () => {
      const asking = ours.ask(LEASE, asker, PATIENT_MS, signal)
      await expect.poll(() => harness.challengeNames(), DEADLINE).toHaveLength(1)
      listen(holder)
      expect(await asking).toEqual(holder)
    })

    test('two challengers are both heard and both answered', async () => {
      const hearing = listen(holder)
      const answers = await Promise.all([
        ours.ask(LEASE, asker, PATIENT_MS, signal),
        harness.open().ask(LEASE, second, PATIENT_MS, signal),
      ])
      expect(answers).toEqual([holder, holder])
      expect([...hearing.from].sort()).toEqual(['asker', 'second'])
    })

    test('a challenge to another lease is not heard, be its key the longer or the shorter one', async () => {
      const hearing = listen(holder)
      for (const other of [`${LEASE}0`, `${LEASE}&fc00:-64`, '10.1.0.0'])
        expect(await ours.ask(other, asker, 50, signal)).toBeUndefined()
      expect(await ours.ask(LEASE, second, PATIENT_MS, signal)).toEqual(holder)
      expect(hearing.from).toEqual(['second'])
    })

    test.each([
      ['nothing', ''],
      ['text', 'no JSON'],
      ['null', 'null'],
      ['fields of wrong types', '{"From":{"ID":7,"Hostname":null,"Instance":[]},"By":"me"}'],
      ['no instance', '{"From":{"ID":"a","Hostname":"b"}}'],
    ])('%s where a challenger should be is delivered without one and can be answered', async (_, value) => {
      await harness.putChallenge(`${LEASE}/odd`, value)
      const hearing = listen(holder)
      await expect.poll(() => hearing.heard, DEADLINE).toEqual([{ key: LEASE, id: 'odd', from: undefined }])
      const again = (): Promise<number> => countPending()
      await expect.poll(again, DEADLINE).toBe(0)
    })

    /** What a new holder would hear, judged by a challenge that comes after everything else. */
    async function countPending(): Promise<number> {
      const late = new Hearing(ours)
      const asking = ours.ask(LEASE, second, 500, signal)
      await expect.poll(() => late.from, DEADLINE).toContain('second')
      late.abort()
      await asking
      return late.heard.filter(({ from }) => from?.id !== 'second').length
    }

    test('an answer that cannot be read is none', async () => {
      const asking = ours.ask(LEASE, asker, 600, signal)
      await expect.poll(() => harness.challengeNames(), DEADLINE).toHaveLength(1)
      const [challenge = ''] = await harness.challengeNames()
      await harness.putChallenge(challenge, '{"By":42}')
      expect(await asking).toBeUndefined()
    })

    test('the first answer counts', async () => {
      const hearing = listen()
      const asking = ours.ask(LEASE, asker, PATIENT_MS, signal)
      await expect.poll(() => hearing.heard, DEADLINE).toHaveLength(1)
      const [challenge] = hearing.heard
      if (challenge === undefined) throw new Error('nothing heard')
      expect(await theirs.answer(challenge, holder, signal)).toBe(true)
      expect(await theirs.answer(challenge, second, signal)).toBe(false)
      expect(await asking).toEqual(holder)
    })

    test('answering what is over is no error, and no answer', async () => {
      const hearing = listen()
      await ours.ask(LEASE, asker, 1_000, signal)
      await expect.poll(() => hearing.heard, DEADLINE).toHaveLength(1)
      const [challenge] = hearing.heard
      if (challenge === undefined) throw new Error('nothing heard')
      expect(await theirs.answer(challenge, holder, signal)).toBe(false)
      await nothingLeft()
    })

    test('a holder whose connection was cut hears what came meanwhile', async () => {
      const hearing = listen(holder)
      expect(await ours.ask(LEASE, asker, PATIENT_MS, signal)).toEqual(holder)
      await harness.disconnect()
      await harness.putChallenge(`${LEASE}/meanwhile`, '{"From":{"ID":"second","Hostname":"h","Instance":"i"}}')
      await harness.reconnect()
      await expect.poll(() => new Set(hearing.from), DEADLINE).toEqual(new Set(['asker', 'second']))
    })

    test('a holder hears what comes after its store was emptied', async () => {
      const hearing = listen()
      await harness.putChallenge(`${LEASE}/before`, 'odd')
      await expect.poll(() => hearing.heard, DEADLINE).toHaveLength(1)
      await harness.wipe()
      await harness.putChallenge(`${LEASE}/after`, '{"From":{"ID":"second","Hostname":"h","Instance":"i"}}')
      await expect.poll(() => hearing.from, DEADLINE).toContain('second')
    })

    test('silence of a store that went out of reach meanwhile proves nothing', async () => {
      const asking = ours.ask(LEASE, asker, PATIENT_MS, signal)
      const outcome = expect(asking).rejects.toMatchObject({ name: 'StoreError', op: 'ask', retryable: true })
      await expect.poll(() => harness.challengeNames(), DEADLINE).toHaveLength(1)
      await harness.disconnect()
      await outcome
    })

    test('nor does that of a store that lost the challenge', async () => {
      const asking = ours.ask(LEASE, asker, PATIENT_MS, signal)
      const outcome = expect(asking).rejects.toMatchObject({ name: 'StoreError', op: 'ask', retryable: true })
      await expect.poll(() => harness.challengeNames(), DEADLINE).toHaveLength(1)
      for (const id of await harness.etcdLeaseIds()) await harness.revoke(id)
      await outcome
    })

    test('what a node asked and left behind is taken back, and what others asked stays', async () => {
      const leftBehind = JSON.stringify({ From: { ID: 'asker', Hostname: 'h', Instance: 'killed' } })
      await harness.putChallenge(`${LEASE}/left`, leftBehind)
      await harness.putChallenge(`10.2.0.0-24/left`, leftBehind)
      await harness.putChallenge(
        `${LEASE}/other`,
        JSON.stringify({ From: { ID: 'second', Hostname: 'h', Instance: 'i' } }),
      )
      await harness.putChallenge(`${LEASE}/odd`, 'no JSON')
      await ours.takeBack('asker', signal)
      expect([...(await harness.challengeNames())].sort()).toEqual([`${LEASE}/odd`, `${LEASE}/other`])
    })

    test('both sides end when aborted, and nothing is left behind', async () => {
      const hearing = listen()
      const stop = new AbortController()
      const asking = ours.ask(LEASE, asker, PATIENT_MS, stop.signal)
      await expect.poll(() => hearing.heard, DEADLINE).toHaveLength(1)
      stop.abort()
      hearing.abort()
      await expect(asking).rejects.toMatchObject({ op: 'ask', code: 'ABORTED_BY_CALLER' })
      await expect.poll(() => hearing.ended, DEADLINE).toBe(true)
      await nothingLeft()
    })

    test('challenges are no leases', async () => {
      const list = await ours.list(signal)
      const events: unknown[] = []
      const stop = new AbortController()
      const watching = (async () => {
        for await (const event of ours.watch(list, stop.signal)) events.push(event)
      })()
      await ours.ask(LEASE, asker, 100, signal)
      await harness.put(LEASE, 'one')
      await expect.poll(() => events, DEADLINE).toMatchObject([{ deltas: [{ record: { key: LEASE } }] }])
      stop.abort()
      await watching
      expect((await ours.list(signal)).records).toHaveLength(1)
    })
  })
}
