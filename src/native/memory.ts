import { loadAddon } from './load.ts'

/**
 * Has V8 collect all that is garbage, and move together what is left: a little at a time, between other work, and over within a second. Left
 * undone by a Node that cannot be asked.
 */
export function collectGarbage(): void {
  loadAddon().collectGarbage()
}

/** Gives back to the kernel what has been freed and is kept for later (malloc_trim(3)); takes up to 20 ms after much was freed. */
export function releaseMemory(): void {
  loadAddon().releaseMemory()
}
