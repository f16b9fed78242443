/** SHA-256 of the source of the prelude. */
export function preludeHash(): string
/** Machine code for an architecture as Node names it. @throws {Error} when there is none, or one of another source */
export function preludeFor(arch: string): Buffer
