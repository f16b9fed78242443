export function spaced(cache: Buffer): Buffer
export function cacheIn(asset: Buffer): Buffer
export function alignCaches(blob: Buffer, name: string, caches: readonly Buffer[]): Buffer
