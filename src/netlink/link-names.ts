import type { LinkState } from '../kernel/kernel.ts'

/** Links come and go by the thousand with containers; of so many the names are remembered. */
const MOST_NAMES = 4_096

/** Names of links, as last read: errors should speak of `flannel.100`, not of index 24. */
export class LinkNames {
  readonly #names = new Map<number, string>()

  /** Remembers a link that was read. @returns it */
  note(link: LinkState | undefined): LinkState | undefined {
    if (link === undefined) return undefined
    if (this.#names.size >= MOST_NAMES) this.#names.clear()
    this.#names.set(link.index, link.name)
    return link
  }

  /** `link 24` when nobody has asked for it yet. */
  nameOf(index: number): string {
    return this.#names.get(index) ?? `link ${index}`
  }
}
