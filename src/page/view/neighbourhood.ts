import type { Feed } from './feed.ts'
import type { NodeView } from './reach-view.ts'
import { askFor, Source, withKey } from './source.ts'
import { byId, el, fill } from './dom.ts'

/** What `flanneld page` answers under /nodes: whom it asks, the first of them shown at first. */
export interface NodesDocument {
  readonly nodes: readonly { readonly name: string; readonly path: string }[]
}

/** Between two questions to one of the others, in milliseconds; longer where there are many or they have much to say. */
const EVERY_MS = 5_000
const SHARE = 0.05

interface Shows {
  onOthers(others: readonly NodeView[]): void
  onLost(reason: string): void
}

/** Several agents: one is shown, and of the others it is asked in turn whom they reach. */
export class Neighbourhood {
  readonly #key: string
  readonly #shows: Shows
  readonly #feed: (source: Source) => Feed
  readonly #views = new Map<string, NodeView>()

  constructor(key: string, shows: Shows, feed: (source: Source) => Feed) {
    this.#key = key
    this.#shows = shows
    this.#feed = feed
  }

  async start(): Promise<void> {
    const sources = await this.#sources()
    const shown = sources[Number(new URLSearchParams(location.hash.slice(1)).get('node') ?? 0)] ?? sources[0]
    if (shown === undefined) return
    const others = sources.filter((source) => source !== shown)
    this.#showChoice(sources, shown)
    this.#feed(shown)
    while (others.length > 0)
      for (const source of others) {
        const startMs = performance.now()
        await this.#look(source)
        this.#shows.onOthers([...this.#views.values()])
        this.#showLost(others)
        const tookMs = performance.now() - startMs
        await new Promise((resolve) => setTimeout(resolve, Math.max(EVERY_MS / others.length, tookMs / SHARE)))
      }
  }

  /** Whom to look at; the whole page begins anew with another. */
  #showChoice(sources: readonly Source[], shown: Source): void {
    byId('choice').hidden = sources.length < 2
    const links = sources.map(({ name }, at) =>
      el('a', { href: `#key=${this.#key}&node=${at}`, 'aria-current': name === shown.name ? 'page' : undefined }, name),
    )
    fill(byId('choice'), ...links)
    addEventListener('hashchange', () => {
      location.reload()
    })
  }

  async #sources(): Promise<readonly Source[]> {
    for (;;)
      try {
        const { nodes } = await askFor<NodesDocument>('nodes', withKey(this.#key))
        return nodes.map(({ name, path }) => new Source(name, path, this.#key))
      } catch (error) {
        this.#shows.onLost(error instanceof Error ? error.message : String(error))
        await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
      }
  }

  async #look(source: Source): Promise<void> {
    try {
      const name = this.#views.get(source.name)?.name ?? (await source.status()).node.hostname
      const { peers } = await source.peers()
      this.#views.set(source.name, { name, peers })
    } catch {
      this.#views.delete(source.name)
    }
  }

  #showLost(others: readonly Source[]): void {
    const silent = others.filter(({ name }) => !this.#views.has(name))
    fill(byId('silent'), ...silent.map(({ name }) => el('li', {}, `${name} does not answer`)))
  }
}
