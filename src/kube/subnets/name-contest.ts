import type { Clock, Random } from '../../time/clock.ts'
import type { Annotations, NodePatch, NodeRecord, OneNode } from '../nodes/node-store.ts'
import { leaseOf, NAMES } from './node-claims.ts'
import { vtepMacIn } from './same-mac.ts'

export interface NameContestInput {
  readonly clock: Clock
  readonly random: Random
  /** Of this host, as its kernel says (random(4), boot_id); undefined: not known. */
  readonly bootId: string | undefined
}

/** Which of two agents the Node belongs to: its kubelet says on which boot of a machine it runs. */
type Whose = 'ours' | 'theirs' | 'unknown'

interface Rival {
  /** Where it is, in words. */
  readonly where: string
  readonly lastMs: number
  readonly answerAtMs: number
}

/** Seen once or twice, somebody may have tried something by hand; what keeps coming back is somebody who does not know of us. */
const TIMES = 3
/** Each is to see the other so often before one of them pauses. */
const TIMES_AT_ONCE = 3
/** For so long it may take to come back, in milliseconds: agents that have seen each other pause. */
const WITHIN_MS = 900_000
/** Before our next answer, in milliseconds: each of them sends all peers to another host. Where the Node is another host's, we ask it before that. */
const PAUSE_MS = 60_000
const LONG_PAUSE_MS = 600_000
/** By chance so much longer, as a share. */
const SPREAD = 0.2
/** What we have written stands for so long, in milliseconds: the other one is gone, or has given way. */
const CALM_MS = 3 * PAUSE_MS
/** However many ways somebody finds to write them. */
const MOST_SEEN = 16

type Said = Annotations | NonNullable<NodePatch['annotations']>

/**
 * Tells whether another agent runs under our name: then our Node says by turns where we are and where it is, and each of us restores what the
 * other has changed.
 */
export class NameContest {
  readonly #input: NameContestInput
  /** What others have said of where our Node is. */
  readonly #seen = new Map<string, { readonly times: number; readonly lastMs: number }>()
  #rival: Rival | undefined
  /** As our Node said last; undefined: it was not read, or does not say. */
  #kubeletBootId: string | undefined

  constructor(input: NameContestInput) {
    this.#input = input
  }

  /** All of our Node was read. */
  read({ bootId }: OneNode): void {
    this.#kubeletBootId = bootId
  }

  /**
   * Somebody has changed our Node.
   * @param wanted what it is to say
   * @returns whether it says, again, what another agent would say
   */
  changed(node: NodeRecord, wanted: Said): boolean {
    const where = leaseOf(node) === undefined ? '' : whereIn(node.annotations)
    if (where === '' || where === whereIn(wanted)) return false
    const nowMs = this.#input.clock.monotonicMs()
    const known = this.#seen.get(where)
    const times = known !== undefined && nowMs - known.lastMs < WITHIN_MS ? known.times + 1 : 1
    this.#seen.delete(where)
    this.#seen.set(where, { times, lastMs: nowMs })
    for (const [oldest] of this.#seen) if (this.#seen.size > MOST_SEEN) this.#seen.delete(oldest)
    if (times < TIMES) return false
    const isPausing = times > TIMES_AT_ONCE || this.#whose === 'theirs'
    this.#rival = { where, lastMs: nowMs, answerAtMs: nowMs + (isPausing ? this.#pauseMs : 0) }
    return true
  }

  get #whose(): Whose {
    const { bootId } = this.#input
    if (bootId === undefined || this.#kubeletBootId === undefined) return 'unknown'
    return bootId === this.#kubeletBootId ? 'ours' : 'theirs'
  }

  /** Whoever has the right name answers as whoever is changed by hand is answered. */
  get #pauseMs(): number {
    const whose = this.#whose
    if (whose === 'ours') return 0
    return (whose === 'theirs' ? LONG_PAUSE_MS : PAUSE_MS) * (1 + SPREAD * this.#input.random())
  }

  /** Whether our Node is another host's, as far as it was read, whose agent publishes it: that is asked anew before it is written. */
  get isTheirs(): boolean {
    return this.#rival !== undefined && this.#whose === 'theirs'
  }

  /** Not to be answered before, on the monotonic clock. */
  get notBeforeMs(): number {
    return this.#rival?.answerAtMs ?? Number.NEGATIVE_INFINITY
  }

  /** It has been read anew, where it is there. @returns whether it is theirs still: then it is left alone for as long again */
  givesWay(node: OneNode | undefined): boolean {
    if (node !== undefined) this.read(node)
    if (this.#rival === undefined || !this.isTheirs) return false
    this.#rival = { ...this.#rival, answerAtMs: this.#input.clock.monotonicMs() + this.#pauseMs }
    return true
  }

  /** Our Node says what it should. @returns in how many milliseconds that shows that the other one is gone; 0: it is, or there was none */
  calmInMs(): number {
    if (this.#rival === undefined) return 0
    const leftMs = Math.max(this.#rival.lastMs, this.#rival.answerAtMs) + CALM_MS - this.#input.clock.monotonicMs()
    if (leftMs <= 0) this.#rival = undefined
    return Math.max(0, leftMs)
  }

  /** Who they are, and whose the Node is, in words. @param wanted what our Node is to say */
  words(wanted: Said): { readonly ours: string; readonly theirs: string; readonly verdict: string } {
    return { ours: whereIn(wanted), theirs: this.#rival?.where ?? '', verdict: VERDICTS[this.#whose] }
  }
}

const VERDICTS: Readonly<Record<Whose, string>> = {
  ours: 'that Node is of this host, as its kubelet says, and so the other one is to have another name: restoring them',
  theirs: 'that Node is of another host, as its kubelet says, and so we are to have another name: leaving them to it',
  unknown: 'restoring them once a minute',
}

/** Where packets are sent by what a Node says: addresses and end points of tunnels. */
function whereIn(annotations: Said): string {
  const places = ([4, 6] as const).flatMap((family) => {
    const { publicIp, backendData } = NAMES[family]
    const [address, mac] = [annotations[publicIp], vtepMacIn(annotations[backendData] ?? undefined)]
    return typeof address === 'string' ? [`PublicIP ${address}${mac === undefined ? '' : ` with VtepMAC ${mac}`}`] : []
  })
  return places.join(' and ')
}
