/** When each thing that somebody waits for was first seen, on the monotonic clock in nanoseconds. */
export class Sightings {
  readonly #seen = new Map<string, bigint>()
  readonly #awaited = new Map<string, () => void>()

  saw(what: string, atNs: bigint): void {
    if (this.#seen.has(what)) return
    this.#seen.set(what, atNs)
    this.#awaited.get(what)?.()
  }

  /** @throws {Error} when it is not seen within `deadlineMs` */
  when(what: string, deadlineMs = 5_000): Promise<bigint> {
    const seen = this.#seen.get(what)
    if (seen !== undefined) return Promise.resolve(seen)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`"${what}" was not seen within ${deadlineMs} ms`))
      }, deadlineMs)
      this.#awaited.set(what, () => {
        clearTimeout(timer)
        this.#awaited.delete(what)
        resolve(this.#seen.get(what) ?? 0n)
      })
    })
  }
}
