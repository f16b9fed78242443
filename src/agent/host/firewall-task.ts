import type { NetworkConfig } from '../../config/network.ts'
import type { DaemonOptions } from '../../config/options.ts'
import type { Clock, Random } from '../../time/clock.ts'
import type { Loop } from '../../time/loop.ts'
import { Wakeup } from '../../time/wakeup.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Firewall, FirewallError, FirewallReport, FirewallSpec } from '../../kernel/firewall.ts'
import { Damping } from '../../time/damping.ts'
import type { OwnSubnet } from '../../backend/backend.ts'
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
}

/** `ok` when all rules asked for stand; else why not, and whether that concerns readiness: containers were promised masquerading. */
export type FirewallState = 'ok' | { readonly reason: string; readonly isBlocking: boolean }

/** However short the interval asked for: looking starts programs. In milliseconds. */
const SHORTEST_RESYNC_MS = 1_000

const FOUGHT_OVER = 'firewall rules keep being changed from outside; restoring them ever more slowly'

/** For the damping of somebody who keeps undoing the rules, which are one thing. */
const ALL_RULES = 'rules'

/**
 * Keeps the rules of the firewall as they should be: looks every so often, since nothing tells of a change, and puts right what is not,
 * ever more slowly where somebody keeps undoing it. Forwarding goes on whatever comes of it.
 */
export class FirewallTask implements Task {
  readonly name = 'firewall'
  readonly roundMs = ROUND_MS.programs
  readonly #ports: FirewallPorts
  readonly #resyncMs: number
  readonly #damping: Damping
  readonly #look = new Wakeup()
  #spec: FirewallSpec
  #state: FirewallState
  /** The specification that has been seen to stand. */
  #stood: FirewallSpec | undefined
  /** What has been complained about, until it is cured. */
  #said = ''
  /** Called when the state differs from the one before. Must not throw. */
  onState: (state: FirewallState) => void = () => undefined

  constructor(spec: FirewallSpec, resyncMs: number, ports: FirewallPorts) {
    this.#spec = spec
    this.#resyncMs = Math.max(SHORTEST_RESYNC_MS, resyncMs)
    this.#ports = ports
    this.#damping = new Damping(ports.random)
    this.#state = { reason: 'the rules of the firewall have not been looked at yet', isBlocking: spec.masquerade }
  }

  get state(): FirewallState {
    return this.#state
  }

  /** Other rules from now on. */
  set(spec: FirewallSpec): void {
    this.#spec = spec
    this.#damping.clear()
    this.#look.ring()
  }

  async run({ signal, rest }: Loop): Promise<void> {
    const { firewall } = this.#ports
    while (!isStopped(signal)) {
      const spec = this.#spec
      const report = await firewall.sync(spec, signal)
      if (isStopped(signal)) return
      this.#judge(spec, report)
      await rest(this.#nextLookInMs(spec), this.#look)
    }
  }

  #nextLookInMs({ masquerade, forward }: FirewallSpec): number {
    // Where no rule is to stand, there is nothing that anybody could undo.
    if (this.#state === 'ok' && !masquerade && !forward) return Infinity
    return Math.max(this.#resyncMs, this.#damping.notBeforeMs(ALL_RULES) - this.#ports.clock.monotonicMs())
  }

  #judge(spec: FirewallSpec, { changed, stands, problems }: FirewallReport): void {
    const isFoughtOver = this.#sayChanged(spec, changed)
    this.#stood = stands ? spec : undefined
    this.#sayProblems(spec.masquerade && !stands, problems)
    const reason = problems.map(({ message }) => message).join('; ')
    if (!stands) this.#setState({ reason, isBlocking: spec.masquerade })
    else this.#setState(isFoughtOver ? { reason: FOUGHT_OVER, isBlocking: false } : 'ok')
  }

  /** @returns whether somebody keeps changing them: what stands now may be gone long before the next look */
  #sayChanged(spec: FirewallSpec, changed: readonly string[]): boolean {
    if (changed.length === 0) return false
    const { log, clock } = this.#ports
    const what = { rules: changed.join(', ') }
    if (this.#stood !== spec) {
      log.info(spec.masquerade || spec.forward ? 'firewall rules written' : 'firewall rules removed', what)
      return false
    }
    const isFoughtOver = this.#damping.undone(ALL_RULES, clock.monotonicMs())
    if (isFoughtOver) log.warn(`${FOUGHT_OVER}. Another agent?`, what)
    else log.warn('firewall rules were changed from outside; restored', what)
    return isFoughtOver
  }

  #sayProblems(isSerious: boolean, problems: readonly FirewallError[]): void {
    const { log } = this.#ports
    const text = problems.map(({ message }) => message).join('; ')
    if (text === this.#said) return
    this.#said = text
    if (text === '') log.info('firewall: works now')
    else {
      const message = `firewall: ${text}; trying again, forwarding of the overlay goes on`
      if (isSerious) log.error(message)
      else log.warn(message)
    }
  }

  #setState(state: FirewallState): void {
    const isNew = JSON.stringify(state) !== JSON.stringify(this.#state)
    this.#state = state
    if (isNew) this.onState(state)
  }
}
