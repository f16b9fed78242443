import { FirewallError } from '../kernel/firewall.ts'
import type { RunTool } from './command.ts'
import type { FamilyRules, Rule } from './rules.ts'

/** Seconds to wait for whoever else is writing (iptables-restore(8), `--wait`). */
const LOCK_SECONDS = 5

/** The first version whose iptables-restore knows `--wait`, and whose MASQUERADE knows `--random-fully`. */
const FIRST_TO_KNOW = [1, 6, 2] as const

/** Writes with iptables-restore(8), by the options that the host's version knows. */
export class IptablesWriter {
  readonly #tool: string
  readonly #run: RunTool
  /** Its version, where that is too old for options of ours. */
  #old: string | undefined

  constructor(tool: string, run: RunTool) {
    this.#tool = tool
    this.#run = run
  }

  /** What it can write of these rules: they come without options that it does not know. */
  expressible(rules: FamilyRules): FamilyRules {
    if (this.#old === undefined) return rules
    const plain = (rule: Rule): Rule => (isRandom(rule) ? { ...rule, verdict: 'masquerade' } : rule)
    return { ...rules, postrouting: rules.postrouting.map(plain) }
  }

  /** The version that keeps these rules from having ports chosen at random; undefined where nothing does. */
  lacksRandomFully({ postrouting }: FamilyRules): string | undefined {
    return postrouting.some(isRandom) ? this.#old : undefined
  }

  /**
   * Writes what iptables-restore reads.
   * @returns false where it is older than what was asked of it, which was not known: nothing has been written, and
   *   {@link expressible} knows from now on
   * @throws {FirewallError}
   */
  async write(input: string, signal: AbortSignal): Promise<boolean> {
    const wait = this.#old === undefined ? ['--wait', `${LOCK_SECONDS}`] : []
    try {
      await this.#run(`${this.#tool}-restore`, ['--noflush', ...wait], input, signal)
      return true
    } catch (error) {
      if (!(error instanceof FirewallError) || error.code !== 'REFUSED' || this.#old !== undefined) throw error
      // Only now: to ask for the version at each start would be one program more.
      this.#old = await this.#findOld(signal)
      if (this.#old === undefined) throw error
      return false
    }
  }

  async #findOld(signal: AbortSignal): Promise<string | undefined> {
    const answer = await this.#run(this.#tool, ['--version'], '', signal)
    const [version, ...numbers] = /v(\d+)\.(\d+)\.(\d+)/.exec(answer) ?? []
    return version !== undefined && isBefore(numbers.map(Number), FIRST_TO_KNOW) ? version : undefined
  }
}

const isRandom = ({ verdict }: Rule): boolean => verdict === 'masquerade-random'

function isBefore(version: readonly number[], other: readonly number[]): boolean {
  const at = other.findIndex((number, index) => version[index] !== number)
  return at >= 0 && (version[at] ?? 0) < (other[at] ?? 0)
}
