import type {
  Firewall,
  FirewallError,
  FirewallListing,
  FirewallReport,
  FirewallSpec,
} from '../../src/kernel/firewall.ts'

/** A {@link Firewall} in memory: one specification stands, or none. */
export class FakeFirewall implements Firewall {
  /** What stands; undefined: nothing of ours. */
  standing: FirewallSpec | undefined
  /** What every look meets, while there is any. */
  problems: readonly FirewallError[] = []
  /** What every look meets, though what is asked for stands. */
  leftovers: readonly FirewallError[] = []
  /** The version of an iptables that does not know all. */
  lacksRandomFully: string | undefined
  looks = 0
  writes = 0
  #answering: Promise<void> = Promise.resolve()

  /** @returns how to let looks answer, which until then do not */
  holdBack(): () => void {
    let letGo = (): void => undefined
    this.#answering = new Promise((resolve) => {
      letGo = resolve
    })
    return () => {
      letGo()
    }
  }

  async sync(spec: FirewallSpec, signal: AbortSignal): Promise<FirewallReport> {
    await this.#answering
    return this.#sync(spec, signal)
  }

  #sync(spec: FirewallSpec, signal: AbortSignal): Promise<FirewallReport> {
    if (signal.aborted) return Promise.reject(signal.reason as Error)
    this.looks++
    const isEmpty = !spec.masquerade && !spec.forward
    if (this.problems.length > 0)
      return Promise.resolve({ changed: [], stands: isEmpty, problems: isEmpty ? this.#hindrances() : this.problems })
    const isRight = isEmpty ? this.standing === undefined : JSON.stringify(this.standing) === JSON.stringify(spec)
    if (!isRight) this.writes++
    this.standing = isEmpty ? undefined : spec
    return Promise.resolve({
      changed: isRight ? [] : [`rules in ${spec.kind}`],
      stands: true,
      problems: this.leftovers,
      ...(this.lacksRandomFully === undefined ? {} : { lacksRandomFully: this.lacksRandomFully }),
    })
  }

  planRemoval(): Promise<FirewallListing> {
    const isReadable = this.problems.length === 0
    const standing = isReadable && this.standing !== undefined ? ['rules'] : []
    return Promise.resolve({ standing, problems: this.#hindrances() })
  }

  removeAll(): Promise<FirewallReport> {
    const changed = this.problems.length === 0 && this.standing !== undefined ? ['rules'] : []
    if (this.problems.length === 0) this.standing = undefined
    return Promise.resolve({ changed, stands: true, problems: this.#hindrances() })
  }

  /** To removing: where a program is missing, there is nothing to remove. */
  #hindrances(): readonly FirewallError[] {
    return this.problems.filter(({ code }) => code !== 'MISSING')
  }
}
