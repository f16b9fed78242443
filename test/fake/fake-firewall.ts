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
    if (signal.aborted) return Promise.reject(new Error('aborted'))
    this.looks++
    if (this.problems.length > 0) return Promise.resolve({ changed: [], stands: false, problems: this.problems })
    const isEmpty = !spec.masquerade && !spec.forward
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
    return Promise.resolve({ standing: this.standing === undefined ? [] : ['rules'], problems: [] })
  }

  removeAll(): Promise<FirewallReport> {
    this.standing = undefined
    return Promise.resolve({ changed: [], stands: true, problems: [] })
  }
}
