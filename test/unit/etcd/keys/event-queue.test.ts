import { describe, expect, test } from 'vitest'

import { EventQueue } from '../../../../src/etcd/keys/event-queue.ts'

async function drain<T>(queue: EventQueue<T>, seen: T[] = []): Promise<readonly T[]> {
  for await (const item of queue) seen.push(item)
  return seen
}

describe('EventQueue', () => {
  test('delivers in order what came before and after its reader', async () => {
    const queue = new EventQueue<number>()
    queue.push(1)
    const reading = drain(queue)
    queue.push(2)
    await Promise.resolve()
    queue.push(3)
    queue.end()
    expect(await reading).toEqual([1, 2, 3])
  })

  test('delivers everything before it throws its failure', async () => {
    const queue = new EventQueue<number>()
    const seen: number[] = []
    queue.push(1)
    queue.fail(new Error('first'))
    queue.fail(new Error('second'))
    await expect(drain(queue, seen)).rejects.toThrow('first')
    expect(seen).toEqual([1])
  })

  test('drops everything when abandoned, also in the middle of a batch', async () => {
    const queue = new EventQueue<number>()
    for (const item of [1, 2, 3]) queue.push(item)
    const seen: number[] = []
    for await (const item of queue) {
      seen.push(item)
      queue.abandon()
    }
    expect(seen).toEqual([1])
  })

  test('takes nothing after its reader has left', async () => {
    const queue = new EventQueue<number>()
    queue.push(1)
    const reader = queue[Symbol.asyncIterator]()
    await reader.next()
    await reader.return()
    queue.push(2)
    expect(await drain(queue)).toEqual([])
  })
})
