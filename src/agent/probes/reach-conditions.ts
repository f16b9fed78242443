import type { Family } from '../../net/ip.ts'
import type { NamedReach, PeerBook } from '../../probe/asking/peer-book.ts'
import type { Clock } from '../../time/clock.ts'
import type { ConditionReports } from '../runtime/conditions.ts'

export interface ReachConditionsInput {
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly conditions: ConditionReports & { readonly drop: (what: string) => void }
  readonly book: PeerBook
  /** When any peer of the family last answered, on the monotonic clock; undefined: none ever did. */
  readonly lastAnswerMs: (family: Family) => number | undefined
}

const MOST_NAMED = 3
/**
 * Some hosts never answer, though packets arrive: Windows, firewalls that drop echo requests. Who has not answered once in this time
 * degrades nobody any more, in milliseconds; it is shown as unreachable all the same.
 */
export const NEVER_ANSWERED_MS = 900_000
/** Where nobody at all has answered for so long, and several are unreachable, the fault is on our side, in milliseconds. */
const SILENCE_MS = 20_000

const answersOf = (family: Family): string => `answers of peers over IPv${family}`
const lossesOf = (family: Family): string => `losses to peers over IPv${family}`
const sizesOf = (family: Family): string => `packet size to peers over IPv${family}`

/** Says which peers are not reached as they should be: one condition of each kind and family, with the first few names. Never unready. */
export class ReachConditions {
  readonly #input: ReachConditionsInput

  constructor(input: ReachConditionsInput) {
    this.#input = input
  }

  /** They are not asked: nothing is known. */
  drop(family: Family): void {
    for (const what of [answersOf(family), lossesOf(family), sizesOf(family)]) this.#input.conditions.drop(what)
  }

  tell(family: Family): void {
    const counts = this.#input.book.counts(family)
    const judged = counts.unreachable + counts.mtu + counts.lossy + counts.reachable
    this.#tellAnswers(family, counts.unreachable, judged)
    this.#tellLosses(family, counts.lossy)
    this.#tellSizes(family, counts.mtu)
  }

  #tellAnswers(family: Family, unreachable: number, judged: number): void {
    const { conditions, book, clock } = this.#input
    const what = answersOf(family)
    if (unreachable === 0) {
      conditions.holds(what)
      return
    }
    const nowMs = clock.monotonicMs()
    const isFresh = ({ reach }: NamedReach): boolean =>
      reach.hasAnswered === true || nowMs - reach.sinceMs < NEVER_ANSWERED_MS
    const fresh = firstOf(book.judged(family, 'unreachable'), isFresh)
    const effect = fresh.length === 0 ? 'none' : 'degraded'
    const isSilent = unreachable === judged || this.#isSilent(family, nowMs)
    if (judged > 1 && unreachable > 1 && isSilent) {
      const reason = `no peer answers any more, of ${judged}: the fault is likely on this side, or echo requests are dropped everywhere`
      const says = `no peer answers over IPv${family}: packets of the overlay do not leave this host, or do not come back to it`
      conditions.fails(what, reason, effect, { ...ONCE, says, subject: 'all', saysHolds: again(family) })
      return
    }
    const first = fresh.length === 0 ? firstOf(book.judged(family, 'unreachable')) : fresh
    const named = list(first, unreachable, () => '')
    const never = fresh.length === 0 ? ', and never did' : ''
    const answer = `${judged === 1 ? 'peer' : 'peers'} ${unreachable === 1 ? 'does' : 'do'} not answer`
    conditions.fails(what, `${unreachable} of ${judged} ${answer}${never}: ${named}`, effect, {
      ...ONCE,
      says: `peers do not answer over IPv${family}: ${named}`,
      subject: subjectOf(first, unreachable),
      saysHolds: again(family),
    })
  }

  /** Before all are judged, who is asked next will hardly answer either. */
  #isSilent(family: Family, nowMs: number): boolean {
    const lastMs = this.#input.lastAnswerMs(family)
    return lastMs !== undefined && nowMs - lastMs > SILENCE_MS
  }

  #tellLosses(family: Family, count: number): void {
    const { conditions, book } = this.#input
    if (count === 0) {
      conditions.holds(lossesOf(family))
      return
    }
    const lossy = firstOf(book.judged(family, 'lossy'))
    const named = list(lossy, count, ({ loss }) => ` ${Math.round(loss * 100)} %`)
    conditions.fails(lossesOf(family), named, 'degraded', {
      ...ONCE,
      says: `packets to peers get lost over IPv${family}: ${named}`,
      subject: subjectOf(lossy, count),
      saysHolds: `packets to peers get lost no more over IPv${family}`,
    })
  }

  #tellSizes(family: Family, count: number): void {
    const { conditions, book } = this.#input
    if (count === 0) {
      conditions.holds(sizesOf(family))
      return
    }
    const narrow = firstOf(book.judged(family, 'mtu'))
    const full = book.ways.get(family)?.mtu ?? 0
    const named = list(narrow, count, ({ passesOctets = 0 }) => ` takes ${passesOctets} of ${full} octets`)
    conditions.fails(sizesOf(family), named, 'degraded', {
      ...ONCE,
      says: `large packets do not reach peers over IPv${family}, small ones do: ${named}`,
      subject: subjectOf(narrow, count),
      saysHolds: `packets of full size reach peers over IPv${family} again`,
    })
  }
}

const ONCE = { level: 'warn', repeats: false } as const
const again = (family: Family): string => `all peers answer over IPv${family} again`

/** As many as are named; whoever comes after them is not looked at. */
function firstOf(
  peers: Iterable<NamedReach>,
  isMeant: (peer: NamedReach) => boolean = () => true,
): readonly NamedReach[] {
  const first: NamedReach[] = []
  for (const peer of peers) {
    if (isMeant(peer)) first.push(peer)
    if (first.length === MOST_NAMED) break
  }
  return first
}

/** `node-b (10.1.2.0/24), node-c (10.1.3.0/24), node-d (10.1.4.0/24), 12 more` */
function list(first: readonly NamedReach[], count: number, of: (reach: NamedReach['reach']) => string): string {
  const named = first.map(({ target, reach }) => `${nameOf(target)}${of(reach)}`)
  const more = count > named.length ? [`${count - named.length} more`] : []
  return [...named, ...more].join(', ')
}

const nameOf = ({ peer }: NamedReach['target']): string => `${peer.node ?? peer.publicIp.text} (${peer.subnet.text})`

/** Few are told each time others are among them; many, once. */
const subjectOf = (first: readonly NamedReach[], count: number): string =>
  count > MOST_NAMED ? 'many' : first.map(({ target }) => target.key).join(' ')
