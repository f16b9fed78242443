import type { LinkState } from '../kernel/kernel.ts'

/*
 * What is known of one link and how far its tables can be trusted, as states, and what leads from one to the other. Pure: LinkTables
 * holds the state, hands in what befalls the link, and acts on what comes out.
 */

/** What of the link has a say in whether its rows stand. */
export type SeenLink = Pick<LinkState, 'up' | 'mac' | 'mtu' | 'master'>

/**
 * Whether the rows are as last read or reported. `doubted`: only reading the tables again tells the truth. `excused`: the same, and the
 * link itself has changed in a way that takes rows with it, so that nobody is blamed for what is missing until the tables have been read:
 * the link is reported, by whoever keeps it.
 */
export type Trust = 'trusted' | 'doubted' | 'excused'

export type KnownLink =
  | { readonly is: 'absent' }
  | {
      readonly is: 'attached'
      readonly index: number
      readonly trust: Trust
      /** The tables of this link have been read in full, however long ago. */
      readonly isRead: boolean
      /** The link as last reported; undefined before the first report. */
      readonly seen: SeenLink | undefined
    }

export const ABSENT: KnownLink = { is: 'absent' }

export type LinkEvent =
  /** Whoever keeps the link says that it has this index now. */
  | { readonly event: 'attached'; readonly index: number }
  | { readonly event: 'gone' }
  | { readonly event: 'reported'; readonly link: SeenLink }
  | { readonly event: 'address gone' }
  /** Rows may be other than they were last reported, the link itself is not in question. */
  | { readonly event: 'rows in doubt' }
  /** Reports may have been lost, those of the link as well. */
  | { readonly event: 'all in doubt' }
  /** What is in doubt from now on is in doubt of what is being read. */
  | { readonly event: 'reading' }
  | { readonly event: 'read' }
  /** The tables count as they did before reading began, at best. */
  | { readonly event: 'not read'; readonly before: Trust }

/** Whether rows have gone with what befell the link, or may have. */
export function takesRows(link: KnownLink, what: LinkEvent): boolean {
  switch (what.event) {
    case 'attached':
    case 'gone':
    case 'address gone':
      return true
    case 'reported': {
      // a link that goes down or gets another MAC loses rows, some of them without a word; the kernel reports the link after them
      const before = link.is === 'attached' ? link.seen : undefined
      return !what.link.up || before === undefined || before.mac !== what.link.mac
    }
    default:
      return false
  }
}

export function linkAfter(link: KnownLink, what: LinkEvent): KnownLink {
  if (what.event === 'gone') return ABSENT
  if (what.event === 'attached') {
    const isRead = link.is === 'attached' && link.index === what.index && link.isRead
    return { is: 'attached', index: what.index, trust: 'excused', isRead, seen: undefined }
  }
  if (link.is === 'absent') return link
  const trust = takesRows(link, what) ? 'excused' : link.trust
  switch (what.event) {
    case 'reported':
      return { ...link, seen: what.link, trust: isChanged(link.seen, what.link) ? worse(trust, 'doubted') : trust }
    case 'address gone':
      return { ...link, trust }
    case 'rows in doubt':
      return { ...link, trust: worse(trust, 'doubted') }
    case 'all in doubt':
      return { ...link, trust: worse(trust, 'doubted'), seen: undefined }
    case 'reading':
      return { ...link, trust: 'trusted' }
    case 'read':
      return { ...link, isRead: true }
    case 'not read':
      return { ...link, trust: worse(worse(trust, 'doubted'), what.before) }
  }
}

/** What a link that has come up, or has another MTU or master, may have done to its rows. */
const isChanged = (before: SeenLink | undefined, now: SeenLink): boolean =>
  before !== undefined && (!before.up || before.mtu !== now.mtu || before.master !== now.master)

const ORDER: readonly Trust[] = ['trusted', 'doubted', 'excused']

const worse = (a: Trust, b: Trust): Trust => (ORDER.indexOf(a) < ORDER.indexOf(b) ? b : a)
