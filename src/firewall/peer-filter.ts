import type { Ip } from '../net/ip.ts'
import { PeerFilterError, type FilterState, type GuardedOverlay, type PeerFilter } from '../reconcile/peer-filter.ts'
import { nft } from './nft-command.ts'
import { hasTable, parseObjects, readListing, render, type Listing } from './peer-filter-listing.ts'
import {
  elements,
  installation,
  removal,
  TABLE,
  tableObjects,
  transaction,
  type NftObject,
} from './peer-filter-rules.ts'

const LIST_TABLE = ['list', 'table', TABLE.family, TABLE.name] as const

/** The peer filter as an nftables table of its own. */
export class NftPeerFilter implements PeerFilter {
  /** How this nft lists what we installed: versions differ in how they print a rule. */
  #own: { readonly overlay: GuardedOverlay; readonly rendering: string } | undefined

  async read(overlay: GuardedOverlay, what: 'rules' | 'all', signal: AbortSignal): Promise<FilterState | undefined> {
    const listing = await list(what, signal)
    if (listing === undefined) return undefined
    const { rendering, peers, dropped, hasOddElements } = listing
    return {
      isWhole: !hasOddElements && this.#renderings(overlay).includes(rendering),
      peers: what === 'all' ? peers : undefined,
      drops: { packets: dropped },
    }
  }

  async install(overlay: GuardedOverlay, peers: readonly Ip[], signal: AbortSignal): Promise<void> {
    await apply('install', installation(overlay, peers), signal)
    const listing = await list('rules', signal)
    this.#own = listing && { overlay, rendering: listing.rendering }
  }

  /** What the table may look like when it is as it should be. */
  #renderings(overlay: GuardedOverlay): readonly string[] {
    const own = this.#own
    const isAboutIt = own?.overlay.vni === overlay.vni && own.overlay.port === overlay.port
    return [render(tableObjects(overlay)), ...(isAboutIt ? [own.rendering] : [])]
  }

  async change(added: readonly Ip[], removed: readonly Ip[], signal: AbortSignal): Promise<void> {
    await apply('change', [...elements('add', added), ...elements('delete', removed)], signal)
  }

  async remove(signal: AbortSignal): Promise<boolean> {
    if (!(await isThere('remove', signal))) return false
    await apply('remove', removal, signal)
    return true
  }
}

async function apply(op: string, commands: readonly NftObject[], signal: AbortSignal): Promise<void> {
  if (commands.length > 0) await nft(op, ['-f', '-'], signal, transaction(commands))
}

/** Listing a table that is not there fails as anything else does; the names of all tables tell. */
async function isThere(op: string, signal: AbortSignal): Promise<boolean> {
  return hasTable(readAnswer(op, await nft(op, ['list', 'tables', TABLE.family], signal)))
}

async function list(what: 'rules' | 'all', signal: AbortSignal): Promise<Listing | undefined> {
  if (!(await isThere('read', signal))) return undefined
  const terse = what === 'rules' ? ['-t'] : []
  return readListing(readAnswer('read', await nft('read', [...terse, ...LIST_TABLE], signal)))
}

function readAnswer(op: string, text: string): readonly NftObject[] {
  try {
    return parseObjects(text)
  } catch (cause) {
    const message = `nft answers what is no listing: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new PeerFilterError({ op, code: 'UNREADABLE', message, cause })
  }
}
