import type { Loop } from '../../time/loop.ts'
import type { Family } from '../../net/ip.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { Logger } from '../../observe/logger.ts'
import type { Kernel, KernelOp, RouteState } from '../../kernel/kernel.ts'
import { ROUTE_PROTOCOL } from '../../kernel/marks.ts'
import type { RouteProtocol } from '../../kernel/words.ts'
import type { ConditionReports } from '../runtime/conditions.ts'
import { isCurable } from '../runtime/retry.ts'
import { isStopped, ROUND_MS, type Task } from '../runtime/task.ts'

/**
 * The container bridge has a route to the very same subnet, metric 0 (IPv6: 256), which must win. The largest metric there is, less one:
 * the kernel takes it for both families.
 */
const METRIC = 0xffff_fffe
const CHECK_EVERY_MS = 60_000
/** Both: an earlier run may have had another network, or one more family. */
const FAMILIES: readonly Family[] = [4, 6]

export interface BlackholePorts {
  readonly kernel: Kernel
  readonly log: Logger
  readonly conditions: ConditionReports
}

/**
 * Keeps a blackhole route for our own subnets where that is asked for, and none where it is not: without it, a packet to a container
 * that does not exist follows the default route while there is no bridge, and may come back.
 */
export class BlackholeTask implements Task {
  readonly name = 'blackhole route'
  readonly roundMs = ROUND_MS.kernel
  readonly #ports: BlackholePorts
  readonly #subnets: readonly { readonly subnet: Prefix }[]
  readonly #isWanted: boolean

  constructor(ports: BlackholePorts, subnets: readonly { readonly subnet: Prefix }[], isWanted: boolean) {
    this.#ports = ports
    this.#subnets = subnets
    this.#isWanted = isWanted
  }

  /** Looks at once, and where the routes are wanted again each minute. */
  async run({ signal, rest }: Loop): Promise<void> {
    while (!isStopped(signal)) {
      const isDone = await this.#tend(signal)
      const againMs = isDone && !this.#isWanted ? Infinity : CHECK_EVERY_MS
      await rest(againMs)
    }
  }

  /** @returns whether all is as it should be */
  async #tend(signal: AbortSignal): Promise<boolean> {
    try {
      for (const family of FAMILIES) await this.#tendFamily(family, signal)
      this.#ports.conditions.holds('blackhole route')
      return true
    } catch (error) {
      if (signal.aborted || !isCurable(error)) throw error
      const says = `blackhole route: ${error.message}; trying again`
      this.#ports.conditions.fails('blackhole route', error, 'none', { says })
      return false
    }
  }

  async #tendFamily(family: Family, signal: AbortSignal): Promise<void> {
    const { kernel, log } = this.#ports
    const subnets = this.#subnets.map(({ subnet }) => subnet).filter((subnet) => subnet.family === family)
    const wanted = this.#isWanted ? subnets : []
    const standing = (await kernel.routes(family, signal, { type: 'blackhole', protocol: ROUTE_PROTOCOL }))
      .filter(isOurs)
      .map(({ destination }) => destination)
      .filter((destination) => destination.family === family) // a kernel without IPv6 may answer with all it has
    const missing = without(wanted, standing)
    const surplus = without(standing, wanted)
    const ops: readonly KernelOp[] = [
      ...missing.map((destination) => ({ op: 'route.replace' as const, ...blackhole(destination) })),
      ...surplus.map((destination) => ({ op: 'route.delete' as const, ...blackhole(destination) })),
    ]
    if (ops.length === 0) return
    for (const result of await kernel.apply(ops, signal)) if (!result.ok) throw result.error
    for (const { text } of missing) log.info('blackhole route of our subnet set', { subnet: text })
    for (const { text } of surplus) log.info('blackhole route of an earlier run removed', { subnet: text })
  }
}

const without = (some: readonly Prefix[], others: readonly Prefix[]): readonly Prefix[] =>
  some.filter(({ text }) => !others.some((other) => other.text === text))

/** Whatever its destination: nobody else has our protocol and this metric. */
const isOurs = ({ type, protocol, metric }: RouteState): boolean =>
  type === 'blackhole' && protocol === ROUTE_PROTOCOL && metric === METRIC

const blackhole = (
  destination: Prefix,
): { destination: Prefix; type: 'blackhole'; metric: number; protocol: RouteProtocol } => ({
  destination,
  type: 'blackhole',
  metric: METRIC,
  protocol: ROUTE_PROTOCOL,
})
