import { describe, expect, it } from 'vitest'
import { alignCaches, cacheIn, spaced } from '../../../packaging/executable/cache-places.mjs'

/** The content of a note begins behind three numbers of 32 bits and its name, padded to four (elf(5)). */
const NAME = 'NODE_SEA_BLOB'
const CONTENT_AT = 12 + 16

const caches = [Buffer.from('first cache'), Buffer.from('a second'), Buffer.alloc(0)]

describe('code caches in a blob', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7])('stand at a multiple of eight bytes, %i bytes behind its start', (before) => {
    const assets = caches.map(spaced)
    const blob = Buffer.concat([Buffer.alloc(before, 'x'), ...assets])
    const aligned = alignCaches(Buffer.from(blob), NAME, caches)
    expect(aligned.length).toBe(blob.length)
    for (const cache of caches.slice(0, 2)) expect((CONTENT_AT + aligned.indexOf(cache)) % 8).toBe(0)
  })

  it('are found in their assets', () => {
    const blob = alignCaches(Buffer.concat(caches.map(spaced)), NAME, caches)
    const firstAsset = blob.subarray(0, spaced(caches[0] ?? Buffer.alloc(0)).length)
    expect(cacheIn(firstAsset).toString()).toMatch(/^first cache\0*$/)
    expect(cacheIn(spaced(Buffer.alloc(0)))).toHaveLength(0)
  })

  it('leave what stands beside them alone', () => {
    const [cache = Buffer.alloc(0)] = caches
    const blob = Buffer.concat([Buffer.from('abc'), spaced(cache), Buffer.from('def')])
    expect(alignCaches(blob, NAME, [cache]).toString()).toMatch(/^abc\0*first cache\0*def$/)
  })
})
