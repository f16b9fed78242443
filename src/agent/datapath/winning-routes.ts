import type { RouteAnswer, RouteQuestion, RuleState, SelectiveRoute } from '../../kernel/kernel.ts'
import { describeWay } from '../../kernel/route-way.ts'
import type { AskedPeer } from './route-questions.ts'
import type { RouteCheckInput } from './route-check-task.ts'

/** What packets to a peer do instead of following our route. */
export interface WrongWay {
  readonly peer: AskedPeer
  readonly question: RouteQuestion
  readonly answer: RouteAnswer
  /** Those that others have made. */
  readonly rules: readonly RuleState[]
}

const MOST_NAMED = 3

/** Peers whose packets go another way than ours, and the condition that says so. */
export class WinningRoutes {
  readonly #input: Pick<RouteCheckInput, 'ports' | 'backend' | 'device'>
  readonly #wrong = new Map<string, WrongWay>()
  #selective: readonly SelectiveRoute[] = []
  #hasChanged = false

  constructor(input: Pick<RouteCheckInput, 'ports' | 'backend' | 'device'>) {
    this.#input = input
  }

  get size(): number {
    return this.#wrong.size
  }

  has(key: string): boolean {
    return this.#wrong.has(key)
  }

  note(key: string, way: WrongWay): void {
    this.#wrong.set(key, way)
    this.#hasChanged = true
  }

  drop(key: string): void {
    if (this.#wrong.delete(key)) this.#hasChanged = true
  }

  noteSelective(found: readonly SelectiveRoute[]): void {
    if (found.length > 0 || this.#selective.length > 0) this.#hasChanged = true
    this.#selective = found
  }

  /** Carries out `change`, and says what has come of it. @throws {KernelError} */
  async settle(signal: AbortSignal, change: () => void): Promise<void> {
    change()
    if (!this.#hasChanged) return
    const { conditions, kernel } = this.#input.ports
    const { family } = this.#input.backend.own.overlay
    const what = `routes to peers of IPv${family}`
    if (this.#wrong.size === 0 && this.#selective.length === 0) conditions.holds(what)
    else {
      const links = await kernel.links(signal)
      const nameOf = (index: number): string => links.find((link) => link.index === index)?.name ?? `link ${index}`
      const ways = this.#ways(nameOf)
      const selective = this.#selective.map(
        ({ route, only }) => `packets ${only} follow ${describeWay({ is: 'route', route }, nameOf, [])}`,
      )
      const reason = this.#describe(ways, selective)
      conditions.fails(what, reason, 'degraded', {
        says: `others' routes or rules win over ours: ${reason}`,
        saysHolds: `packets to all peers of IPv${family} follow our routes again`,
        subject: [...ways.keys(), ...selective].sort().slice(0, MOST_NAMED).join('; '), // not for each peer that is found
        repeats: false,
      })
    }
    this.#hasChanged = false
  }

  /** Who follows each way. */
  #ways(nameOf: (linkIndex: number) => string): ReadonlyMap<string, readonly WrongWay[]> {
    const ways = new Map<string, WrongWay[]>()
    for (const wrong of this.#wrong.values()) {
      const way = describeWay(wrong.answer, nameOf, wrong.rules)
      const others = ways.get(way)
      if (others === undefined) ways.set(way, [wrong])
      else others.push(wrong)
    }
    return ways
  }

  #describe(ways: ReadonlyMap<string, readonly WrongWay[]>, selective: readonly string[]): string {
    const all = Array.from(ways, ([way, followers]) => {
      const [first, ...others] = followers
      const whose = first?.question.forwarded === undefined ? '' : ' of containers'
      const more = others.length === 0 ? '' : `, and to ${others.length} peers more,`
      const target = `${first?.question.destination.text ?? ''} in ${first?.peer.subnet.text ?? ''}`
      return `packets${whose} for ${target}${more} follow ${way}`
    })
    const named = [...all, ...selective]
    const more = named.length > MOST_NAMED ? [`${named.length - MOST_NAMED} ways more`] : []
    const ours = this.#input.device?.name ?? 'our routes'
    const cure = 'remove what wins there (ip route del, ip rule del), or move Network'
    return `${[...named.slice(0, MOST_NAMED), ...more].join('; ')}, not ${ours}; ${cure}`
  }
}
