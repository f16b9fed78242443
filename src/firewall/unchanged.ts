import type { FirewallReport, FirewallSpec, ReadGeneration } from '../kernel/firewall.ts'

/** Behind the generation, the rules are read in full once in so many looks: the host may have changed to another iptables. */
const LOOKS = 12

/** Knows that rules are as they were at the last look, without running a program: see {@link ReadGeneration}. */
export class UnchangedRules {
  readonly #read: ReadGeneration
  /** What was found fine, and the generation of rules before it was looked at. */
  #fine: { readonly spec: FirewallSpec; readonly report: FirewallReport; readonly generation: number } | undefined
  #looks = 0
  /** Whether all rules stood on nftables at the last look in full: else the generation says nothing. */
  #isOnNft = false
  #before: number | undefined

  constructor(read: ReadGeneration) {
    this.#read = read
  }

  /** What the last look in full found, where nothing can be otherwise now. */
  report(spec: FirewallSpec): FirewallReport | undefined {
    this.#looks++
    if (this.#fine?.spec !== spec || this.#looks >= LOOKS || this.#read() !== this.#fine.generation) return undefined
    return this.#fine.report
  }

  /** The rules are looked at in full. */
  begin(): void {
    this.#fine = undefined
    this.#looks = 0
    this.#before = this.#isOnNft ? this.#read() : undefined
  }

  /** They have been. @param isOnNft whether none of those that were looked at are a legacy iptables' */
  end(spec: FirewallSpec, report: FirewallReport, isOnNft: boolean): void {
    const { changed, leftovers, stands, problems } = report
    const isQuiet = stands && changed.length === 0 && leftovers === undefined && problems.length === 0
    this.#isOnNft = isOnNft
    if (isOnNft && isQuiet && this.#before !== undefined) this.#fine = { spec, report, generation: this.#before }
  }

  forget(): void {
    this.#fine = undefined
  }
}
