import type { NetworkConfig } from '../../config/network.ts'
import type { DaemonOptions } from '../../config/options.ts'
import type { Clock, Random } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Firewall, FirewallReport, FirewallSpec } from '../../kernel/firewall.ts'
import { Damping } from '../../time/damping.ts'
import type { OwnSubnet } from '../../backend/backend.ts'
import type { AgentCounts } from '../../counts/agent-counts.ts'
import type { ConditionReports } from '../runtime/conditions.ts'
import type { FirewallView } from '../view/session-view.ts'
import { isStopped, ROUND_MS, type Task } from '../runtime/task.ts'

/** What the rules should be, by what we were told and what we hold. */
export const firewallSpec = (
  { ipMasq, ipMasqRandomFully, forwardRules }: DaemonOptions,
  { enableNftables }: NetworkConfig,
  subnets: readonly OwnSubnet[],
): FirewallSpec => ({
  kind: enableNftables ? 'nftables' : 'iptables',
  families: subnets.map(({ overlay, subnet }) => ({ network: overlay.network, subnet })),
  masquerade: ipMasq,
  randomFully: ipMasqRandomFully,
  forward: forwardRules,
})

export interface FirewallPorts {
  readonly firewall: Firewall
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly conditions: ConditionReports
  readonly counts: Pick<AgentCounts, 'firewallRepairs'>
}

export interface FirewallTaskInput {
  readonly ports: FirewallPorts
  readonly spec: FirewallSpec
  /** Between looks, in milliseconds. */
  readonly resyncMs: number
  /** Called in and after every look: the rules asked for stand, or it is known why they do not. Must not throw. */
  readonly onLooked: () => void
}

/** How the rules are, as of the last look. */
export type FirewallState = Omit<FirewallView, 'peerFilter'>

/** At the start, what should go is looked for after this long: containers wait for what should be there. In milliseconds. */
const START_IS_OVER_MS = 500
/** What could not be removed is tried again after this long, in milliseconds: nothing hangs on it. */
const CLEAN_UP_AGAIN_MS = 60_000
/** However short the interval asked for: looking starts programs. In milliseconds. */
const SHORTEST_RESYNC_MS = 1_000

const FOUGHT_OVER = 'firewall rules keep being changed from outside; restoring them ever more slowly'

const REMOVED = { kind: 'firewall-removed' } as const

/** For the damping of somebody who keeps undoing the rules, which are one thing. */
const ALL_RULES = 'rules'

/**
 * Keeps the rules of the firewall as they should be: looks every so often, since nothing tells of a change, and puts right what is not,
 * ever more slowly where somebody keeps undoing it. Forwarding goes on whatever comes of it.
 */
export class FirewallTask implements Task {
  readonly name = 'firewall'
  readonly roundMs = ROUND_MS.programs
  readonly #input: FirewallTaskInput
  readonly #damping: Damping
  readonly #look = new Wakeup()
  #spec: FirewallSpec
  /** The specification that has been seen to stand. */
  #stood: FirewallSpec | undefined
  /** Whether all rules asked for stand since the last look, and nobody keeps changing them. */
  #isFine = false
  #hasSaidLacking = false
  /** On the monotonic clock; undefined: never. */
  #lookedMs: number | undefined
  /** Whether nothing was left that should have gone. */
  #isClean = false

  constructor(input: FirewallTaskInput) {
    this.#input = input
    this.#spec = input.spec
    this.#damping = new Damping(input.ports.random)
  }

  /** How it is, as of the last look. */
  get state(): FirewallState {
    const { kind, masquerade, forward } = this.#spec
    const hasLooked = this.#lookedMs !== undefined
    return {
      ...{ kind, isWanted: masquerade || forward, lastLookMs: this.#lookedMs },
      holds: hasLooked ? this.#isFine : undefined,
    }
  }

  /** Other rules from now on. */
  set(spec: FirewallSpec): void {
    this.#spec = spec
    this.#damping.clear()
    this.#look.ring()
  }

  async run({ signal, rest }: Loop): Promise<void> {
    const { ports, onLooked } = this.#input
    while (!isStopped(signal)) {
      const spec = this.#spec
      let said: readonly string[] = []
      const report = await ports.firewall.sync(spec, signal, async ({ changed }) => {
        if (this.#lookedMs === undefined) this.#sayChanged(spec, (said = changed))
        onLooked()
        if (this.#lookedMs === undefined) await rest(START_IS_OVER_MS)
      })
      if (isStopped(signal)) return
      this.#lookedMs = ports.clock.monotonicMs()
      this.#judge(spec, { ...report, changed: report.changed.filter((what) => !said.includes(what)) })
      onLooked()
      await rest(this.#nextLookInMs(spec), this.#look)
    }
  }

  #nextLookInMs({ masquerade, forward }: FirewallSpec): number {
    // Where no rule is to stand, there is nothing that anybody could undo.
    if (this.#isFine && !masquerade && !forward) return this.#isClean ? Infinity : CLEAN_UP_AGAIN_MS
    const { ports, resyncMs } = this.#input
    const notBeforeMs = this.#damping.notBeforeMs(ALL_RULES) - ports.clock.monotonicMs()
    return Math.max(SHORTEST_RESYNC_MS, resyncMs, notBeforeMs)
  }

  #judge(spec: FirewallSpec, { changed, leftovers, stands, problems, lacksRandomFully }: FirewallReport): void {
    this.#sayLacking(lacksRandomFully)
    const { conditions, log } = this.#input.ports
    if (leftovers !== undefined)
      log.info('firewall rules of an earlier run removed', { rules: leftovers.join(', ') }, REMOVED)
    const isFoughtOver = this.#sayChanged(spec, changed)
    this.#stood = stands ? spec : undefined
    this.#isFine = stands && !isFoughtOver
    this.#isClean = problems.length === 0
    if (!stands || problems.length > 0) this.#sayProblems(spec, { stands, problems })
    else if (isFoughtOver) conditions.fails('firewall', FOUGHT_OVER, 'degraded', { says: false })
    else conditions.holds('firewall')
  }

  /** Once is enough: nothing but another iptables changes that. */
  #sayLacking(version: string | undefined): void {
    if (version === undefined || this.#hasSaidLacking) return
    this.#hasSaidLacking = true
    this.#input.ports.log.warn(
      'firewall: this iptables knows no --random-fully, which 1.6.2 does: ports of masqueraded connections are not chosen at random',
      { version },
    )
  }

  /** Containers were promised masquerading; the lack of other rules only degrades. */
  #sayProblems({ masquerade }: FirewallSpec, { stands, problems }: Pick<FirewallReport, 'stands' | 'problems'>): void {
    const reason = problems.map(({ message }) => message).join('; ')
    const isBlocked = problems.some(({ code }) => code === 'BLOCKED')
    const effect = stands ? (isBlocked ? 'degraded' : 'none') : masquerade ? 'incomplete' : 'degraded'
    const says = `firewall: ${reason}; trying again, forwarding of the overlay goes on`
    this.#input.ports.conditions.fails('firewall', reason, effect, { says, repeats: false, ...errorOf(problems) })
  }

  /** @returns whether somebody keeps changing them: what stands now may be gone long before the next look */
  #sayChanged(spec: FirewallSpec, changed: readonly string[]): boolean {
    if (changed.length === 0) return false
    const { log, clock, counts } = this.#input.ports
    const what = { rules: changed.join(', ') }
    if (this.#stood !== spec) {
      if (spec.masquerade || spec.forward) log.info('firewall rules written', what, { kind: 'firewall-written' })
      else log.info('firewall rules removed', what, REMOVED)
      return false
    }
    counts.firewallRepairs++
    const isFoughtOver = this.#damping.undone(ALL_RULES, clock.monotonicMs())
    if (isFoughtOver) log.warn(`${FOUGHT_OVER}. Another agent?`, what, { kind: 'firewall-fought-over' })
    else log.warn('firewall rules were changed from outside; restored', what, { kind: 'firewall-restored' })
    return isFoughtOver
  }
}

const errorOf = ([error]: FirewallReport['problems']): { readonly error?: Error } =>
  error === undefined ? {} : { error }
