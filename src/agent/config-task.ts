import { compareConfig } from '../config/compare.ts'
import { ConfigError } from '../config/error.ts'
import type { NetworkConfig } from '../config/network.ts'
import type { Loop } from '../time/loop.ts'
import { prefixCovers, type Prefix } from '../net/prefix.ts'
import { RateLimit } from '../time/rate-limit.ts'
import type { ConditionReports } from './runtime/conditions.ts'
import type { AgentPorts } from './runtime/ports.ts'
import { isStopped, type Task } from './runtime/task.ts'

/** Where it says what it does. */
type Reports = Pick<AgentPorts, 'log'> & { readonly conditions: ConditionReports }

export interface ConfigTaskInput {
  readonly ports: Pick<AgentPorts, 'clock'> &
    Reports & { readonly subnets: Pick<AgentPorts['subnets'], 'configuration'> }
  /** What the session has begun with. */
  readonly config: NetworkConfig
  /** Subnets that stay ours whatever is written there, as podCIDRs do; none where they are leased. */
  readonly givenSubnets: readonly Prefix[]
  /** Reads and checks what is written there. @throws {ConfigError} */
  readonly parseConfig: (text: string) => NetworkConfig
  /** Makes a configuration so, as far as it differs in what can be followed. @throws {ConfigError} when it cannot be, before anything is changed */
  readonly apply: (config: NetworkConfig) => void
}

/** A watch ends only with the subnet manager; before it is tried again, in milliseconds. */
const RETRY_MS = 1_000
/** However often it is written, no more changes than these make lines in the log. */
const SAID = { burst: 20, everyMs: 15_000 }
/** That there are more. */
const UNSAID = { burst: 1, everyMs: 60_000 }
const CONFIGURATION = 'network configuration'
const IN_FORCE = 'the network configuration is the one in force again'

/**
 * Follows the network configuration as far as a running agent can: what cannot be followed is said, once for each thing that is
 * written there, and waits for the next start. One that is deleted or invalid changes nothing.
 */
export class ConfigTask implements Task {
  readonly name = 'configuration'
  readonly #input: ConfigTaskInput
  readonly #said: RateLimit
  readonly #unsaid: RateLimit
  #inForce: NetworkConfig
  /** What was written there last. */
  #seen: { readonly value: string | undefined } | undefined
  #waits: readonly string[] = []

  constructor(input: ConfigTaskInput) {
    this.#input = input
    this.#inForce = input.config
    this.#said = new RateLimit(input.ports.clock, SAID)
    this.#unsaid = new RateLimit(input.ports.clock, UNSAID)
  }

  /** What stands in the store and is not in force, in words. */
  get waitsForRestart(): readonly string[] {
    return this.#waits
  }

  async run({ signal, rest }: Loop): Promise<void> {
    const { configuration } = this.#input.ports.subnets
    while (!isStopped(signal)) {
      for await (const text of configuration.watch(signal)) {
        if (isStopped(signal)) return
        this.#consider(text)
      }
      await rest(RETRY_MS)
    }
  }

  #consider(value: string | undefined): void {
    if (this.#seen !== undefined && this.#seen.value === value) return
    this.#seen = { value }
    if (this.#follow(value, this.#reports())) this.#input.ports.conditions.holds(CONFIGURATION)
  }

  /** Whoever writes without end must not fill the log. */
  #reports(): Reports {
    const { ports } = this.#input
    if (this.#said.take()) return ports
    if (this.#unsaid.take())
      ports.log.warn('the network configuration changes again and again; it is followed, but not every change is said')
    return unsaid(ports)
  }

  /** @returns whether what is in force is now what is written there */
  #follow(value: string | undefined, { log, conditions }: Reports): boolean {
    const { parseConfig, apply } = this.#input
    if (value === undefined) {
      const says = `the network configuration (${this.#input.ports.subnets.configuration.name}) was deleted; the one in force stays`
      conditions.fails(CONFIGURATION, 'was deleted', 'none', { says, saysHolds: IN_FORCE })
      return false
    }
    try {
      const next = parseConfig(value)
      const { applied, followed, refused } = compareConfig(this.#inForce, next)
      if (followed.length > 0) apply(applied)
      this.#inForce = applied
      this.#waits = refused.map(({ path, from, to }) => `${path} is ${from}, and ${to} from the next start on`)
      for (const { path, from, to } of followed)
        log.info(`${path} changed in the configuration`, { from, to }, { kind: 'configuration-changed', path })
      for (const { path, from, to } of refused)
        log.warn(
          `${path} changed in the configuration; applied at the next start`,
          { inForce: from, then: to },
          { kind: 'configuration-waits', path },
        )
      if (refused.length === 0) return true
      const outside = this.#outsideOf(next)
      if (outside !== undefined) log.warn(outside)
      const reason = `${refused.map(({ path }) => path).join(', ')} changed; applied at the next start${outside === undefined ? '' : `; ${outside}`}`
      conditions.fails(CONFIGURATION, reason, 'none', { says: false, saysHolds: IN_FORCE })
      return false
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      const says = `the network configuration has become invalid, the one in force stays: ${error.message}`
      conditions.fails(CONFIGURATION, error, 'none', { says, saysHolds: IN_FORCE })
      return false
    }
  }

  /** What would become of us with subnets that it does not have; undefined: it has them. */
  #outsideOf({ overlays }: NetworkConfig): string | undefined {
    const outside = this.#input.givenSubnets.filter((subnet) =>
      overlays.some(({ family, network }) => family === subnet.family && !prefixCovers(network, subnet)),
    )
    if (outside.length === 0) return undefined
    return `our podCIDR ${outside.map(({ text }) => text).join(', ')} lies outside of the Network that is written there: started with that, this node would not become ready`
  }
}

/** Says nothing; what fails and holds is known all the same. */
const unsaid = ({ conditions }: Reports): Reports => ({
  log: { error: () => undefined, warn: () => undefined, info: () => undefined, debug: () => undefined },
  conditions: {
    fails: (what, reason, effect, options) => {
      conditions.fails(what, reason, effect, { ...options, says: false, saysHolds: false })
    },
    holds: (what) => {
      conditions.holds(what)
    },
    drop: (what) => {
      conditions.drop(what)
    },
  },
})
