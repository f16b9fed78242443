// V8 reads a code cache where it stands when that is at a multiple of 8 bytes, and copies it first when it is not: 4 MB of a start. Where an
// asset stands in the file is up to Node's blob, so each cache is given some bytes of room in its asset, and is moved within.

/** As SerializedCodeData asks for (V8's src/snapshot/code-serializer.cc, kPointerAlignment). */
const ALIGNMENT = 8

/** What becomes the asset of a cache: it, with room before it. */
export const spaced = (cache) => Buffer.concat([Buffer.alloc(ALIGNMENT), cache])

/** The part of such an asset that is the cache: it begins with V8's magic number, which does not begin with zero. */
export function cacheIn(asset) {
  const at = asset.findIndex((byte) => byte !== 0)
  return at < 0 ? asset.subarray(asset.length) : asset.subarray(at)
}

/**
 * Moves the caches in a blob to where V8 takes them as they are. The bytes behind them are zero, and V8 does not look at them.
 * @param blob Node's, with an asset {@link spaced} for each; it is changed
 * @param name of the ELF note that the blob will be the content of, which itself is at a multiple of 16
 * @returns the blob
 */
export function alignCaches(blob, name, caches) {
  const blobAt = NOTE_HEAD + Math.ceil((name.length + 1) / 4) * 4
  for (const cache of caches) {
    if (cache.length === 0) continue
    if (cache[0] === 0) throw new Error('a code cache begins with zero: cacheIn cannot find it')
    const at = blob.indexOf(cache)
    if (at < 0 || blob.indexOf(cache, at + 1) >= 0) throw new Error('expected each code cache once in the blob')
    const slack = (blobAt + at) % ALIGNMENT
    cache.copy(blob, at - slack)
    blob.fill(0, at - slack + cache.length, at + cache.length)
  }
  return blob
}

/** Three numbers of 32 bits before the name (elf(5)). */
const NOTE_HEAD = 12
