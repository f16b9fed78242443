import { beforeEach, describe, expect, it } from 'vitest'
import { Slices, type Steps } from '../../../src/time/slices.ts'
import { FakeClock } from '../../fake/fake-clock.ts'

/** Each step takes a millisecond. */
class SlowClock extends FakeClock {
  #ms = 0

  override monotonicMs(): number {
    return super.monotonicMs() + this.#ms
  }

  pass(): void {
    this.#ms++
  }
}

let clock: SlowClock
let slices: Slices
let done: string[]
beforeEach(() => {
  clock = new SlowClock()
  slices = new Slices(clock)
  done = []
})

function* work(name: string, count: number): Steps {
  for (let step = 1; step <= count; step++) {
    clock.pass()
    done.push(`${name}${step}`)
    yield
  }
}

describe('Slices', () => {
  it('does at once what takes no longer than one', () => {
    expect(slices.run(work('a', 3))).toBeUndefined()
    expect(done).toHaveLength(3)
  })

  it('lets others have their turn in what takes longer, and does what is asked for meanwhile after it', async () => {
    const [first, second] = [slices.run(work('a', 20)), slices.run(work('b', 2))]
    expect(done.length).toBeLessThan(10)
    while (done.length < 22) await clock.advance(0)
    await Promise.all([first, second])
    expect(done.slice(-3)).toEqual(['a20', 'b1', 'b2'])
    expect(slices.run(work('c', 1))).toBeUndefined()
  })

  it('puts what a step asks for behind what it is a step of', () => {
    function* asking(): Steps {
      void slices.run(work('later', 1))
      yield
      done.push('first')
    }
    void slices.run(asking())
    expect(done).toEqual(['first', 'later1'])
  })

  it('hands on what comes of the steps', async () => {
    function* counting(): Steps<number> {
      yield* work('a', 20)
      return done.length
    }
    const outcome = slices.outcome(counting())
    while (done.length < 20) await clock.advance(0)
    expect(await outcome).toBe(20)
  })

  it('says what a step has thrown, and goes on with the next', async () => {
    function* failing(): Steps {
      yield* work('a', 20)
      throw new Error('broken')
    }
    const failed = expect(slices.run(failing())).rejects.toThrow('broken')
    while (done.length < 20) await clock.advance(0)
    await clock.advance(0)
    await failed
    void slices.run(work('b', 1))
    expect(done.at(-1)).toBe('b1')
  })
})
