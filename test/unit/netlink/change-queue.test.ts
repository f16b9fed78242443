import { describe, expect, it } from 'vitest'
import { ChangeQueue } from '../../../src/netlink/change-queue.ts'
import { mac } from '../../../src/net/mac.ts'
import type { KernelChange } from '../../../src/kernel/kernel.ts'

const change = (linkIndex: number): KernelChange => ({
  kind: 'fdb',
  linkIndex,
  entry: { mac: mac('02:00:00:00:00:01'), remote: undefined, permanent: true },
  gone: false,
})

const nothing = (): void => undefined

async function take(queue: ChangeQueue, count: number): Promise<readonly KernelChange[]> {
  const taken: KernelChange[] = []
  for await (const one of queue.read(nothing)) if (taken.push(one) === count) break
  return taken
}

describe('a queue of changes', () => {
  it('says once that other routes have changed, until that is read', async () => {
    const queue = new ChangeQueue()
    for (const kind of ['other-routes', 'other-routes'] as const) queue.push({ kind })
    queue.push(change(1))
    queue.push({ kind: 'other-routes' })
    expect(queue.unread).toBe(3)
    expect((await take(queue, 3)).map(({ kind }) => kind)).toEqual(['other-routes', 'fdb', 'other-routes'])
  })

  it('hands out what was pushed before and after the reader came, in order', async () => {
    const queue = new ChangeQueue()
    queue.push(change(1))
    queue.push(change(2))
    setImmediate(() => {
      queue.push(change(3))
    })
    expect(await take(queue, 3)).toEqual([change(1), change(2), change(3)])
  })

  it('puts one overrun in place of what was not read', async () => {
    const queue = new ChangeQueue()
    queue.push(change(1))
    queue.overrun()
    queue.push(change(2))
    expect(await take(queue, 2)).toEqual([{ kind: 'overrun' }, change(2)])
  })

  it('does not grow beyond its limit: a reader that far behind gets an overrun', async () => {
    const queue = new ChangeQueue(3)
    for (let n = 1; n <= 5; n++) queue.push(change(n))
    expect(await take(queue, 3)).toEqual([{ kind: 'overrun' }, change(4), change(5)])
  })

  it('ends its reader, waiting or not, and tells', async () => {
    const queue = new ChangeQueue()
    let stopped = 0
    const reader = queue.read(() => stopped++)
    const reading = reader.next()
    setImmediate(() => {
      queue.end()
    })
    expect(await reading).toEqual({ done: true, value: undefined })
    queue.push(change(1))
    queue.overrun()
    expect(queue.unread).toBe(0)
    expect(await queue.read(() => stopped++).next()).toEqual({ done: true, value: undefined })
    expect(stopped).toBe(2)
  })
})
