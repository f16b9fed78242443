import type { Ip } from '../../net/ip.ts'
import { PeerFilterError, type FilterState, type GuardedOverlay, type PeerFilter } from '../../kernel/peer-filter.ts'
import { runTool, type RunTool } from '../command.ts'
import { nft } from './nft-command.ts'
import type { NftObject } from './expressions.ts'
import { hasTable, parseObjects, readListing, render } from './listing.ts'
import { elements, installation, removal, TABLE, tableObjects, transaction, type Reach } from './filter-rules.ts'

const LIST_TABLE = ['list', 'table', TABLE.family, TABLE.name] as const

/** The peer filter as an nftables table of its own. */
export class NftPeerFilter implements PeerFilter {
  readonly #run: RunTool
  readonly #reach: Reach
  /** Why nft or the kernel would not take the rules for what is forged here; undefined: they have, or have not been asked yet. */
  #oneWay: string | undefined
  /** How this nft lists what we installed: versions differ in how they print a rule. */
  #own: { readonly overlay: GuardedOverlay; readonly rendering: string } | undefined

  /** @param isTracked whether connections are tracked on this host anyway, as masquerading makes it do */
  constructor(run: RunTool = runTool, isTracked = false) {
    this.#run = run
    this.#reach = isTracked ? 'both, tracked' : 'both'
  }

  async read(overlay: GuardedOverlay, what: 'rules' | 'all', signal: AbortSignal): Promise<FilterState | undefined> {
    const objects = await this.#list('read', what, signal)
    if (objects === undefined) return undefined
    const { rendering, peers, drops, hasOddElements } = readListing(objects)
    return {
      isWhole: !hasOddElements && this.#renderings(overlay).includes(rendering),
      peers: what === 'all' ? peers : undefined,
      drops,
      oneWay: this.#oneWay,
    }
  }

  async install(overlay: GuardedOverlay, peers: readonly Ip[], signal: AbortSignal): Promise<void> {
    await this.#install(overlay, peers, signal)
    const objects = await this.#list('read', 'rules', signal)
    this.#own = objects && { overlay, rendering: render(objects) }
  }

  /** Strangers are kept out also where nft, or the kernel, does not know all that the rest needs. */
  async #install(overlay: GuardedOverlay, peers: readonly Ip[], signal: AbortSignal): Promise<void> {
    try {
      await this.#apply('install', installation(overlay, peers, this.#reach), signal)
      this.#oneWay = undefined
    } catch (error) {
      if (!(error instanceof PeerFilterError) || error.code !== 'REFUSED') throw error
      await this.#apply('install', installation(overlay, peers, 'in'), signal)
      this.#oneWay = error.message
    }
  }

  async change(added: readonly Ip[], removed: readonly Ip[], signal: AbortSignal): Promise<void> {
    await this.#apply('change', [...elements('add', added), ...elements('delete', removed)], signal)
  }

  async remove(signal: AbortSignal): Promise<boolean> {
    if (!(await this.#isThere('remove', signal))) return false
    await this.#apply('remove', removal, signal)
    return true
  }

  /** What the table may look like when it is as it should be. */
  #renderings(overlay: GuardedOverlay): readonly string[] {
    const own = this.#own
    const reach = this.#oneWay === undefined ? this.#reach : 'in'
    return [render(tableObjects(overlay, reach)), ...(own && isSame(overlay, own.overlay) ? [own.rendering] : [])]
  }

  async #apply(op: string, commands: readonly NftObject[], signal: AbortSignal): Promise<void> {
    if (commands.length > 0) await nft(this.#run, op, ['-f', '-'], signal, transaction(commands))
  }

  async #list(op: string, what: 'rules' | 'all', signal: AbortSignal): Promise<readonly NftObject[] | undefined> {
    if (!(await this.#isThere(op, signal))) return undefined
    const terse = what === 'rules' ? ['-t'] : []
    try {
      return readAnswer(op, await nft(this.#run, op, [...terse, ...LIST_TABLE], signal))
    } catch (error) {
      // Somebody may have removed it since.
      const isRefused = error instanceof PeerFilterError && error.code === 'REFUSED'
      if (isRefused && !(await this.#isThere(op, signal))) return undefined
      throw error
    }
  }

  /** Listing a table that is not there fails as anything else does; the names of all tables tell. */
  async #isThere(op: string, signal: AbortSignal): Promise<boolean> {
    return hasTable(readAnswer(op, await nft(this.#run, op, ['list', 'tables', TABLE.family], signal)))
  }
}

const isSame = (one: GuardedOverlay, other: GuardedOverlay): boolean => one.vni === other.vni && one.port === other.port

function readAnswer(op: string, text: string): readonly NftObject[] {
  try {
    return parseObjects(text)
  } catch (cause) {
    const message = `nft answers what is no listing: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new PeerFilterError({ op, code: 'UNREADABLE', message, cause })
  }
}
