import type { Clock } from '../net/clock.ts'
import { prefixCovers, type Prefix } from '../net/prefix.ts'
import type { Logger } from '../observe/logger.ts'
import { ROUTE_PROTOCOL, type Kernel, type KernelOp, type RouteState } from '../reconcile/kernel.ts'
import type { OwnSubnet } from '../backend/backend.ts'
import { Complaints } from './complaints.ts'
import { isCurable } from './retry.ts'
import { isStopped } from './tasks.ts'

/** RTN_BLACKHOLE (linux/rtnetlink.h). */
const RTN_BLACKHOLE = 6
/**
 * The container bridge has a route to the very same subnet, metric 0 (IPv6: 256), which must win. The largest metric there is, less one:
 * the kernel takes it for both families.
 */
const METRIC = 0xffff_fffe
const CHECK_EVERY_MS = 60_000

/**
 * Keeps a blackhole route for our own subnets where that is asked for, and none where it is not: without it, a packet to a container
 * that does not exist follows the default route while there is no bridge, and may come back.
 */
export class BlackholeTask {
  readonly #ports: { readonly kernel: Kernel; readonly clock: Clock; readonly log: Logger }
  readonly #subnets: readonly OwnSubnet[]
  readonly #isWanted: boolean
  readonly #complaints: Complaints

  constructor(
    ports: { readonly kernel: Kernel; readonly clock: Clock; readonly log: Logger },
    subnets: readonly OwnSubnet[],
    isWanted: boolean,
  ) {
    this.#ports = ports
    this.#subnets = subnets
    this.#isWanted = isWanted
    this.#complaints = new Complaints(ports.clock)
  }

  /** Looks at once, and where the routes are wanted again each minute. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports
    while (!isStopped(signal)) {
      const isDone = await this.#tend(signal)
      const againMs = isDone && !this.#isWanted ? Infinity : CHECK_EVERY_MS
      await clock.sleep(againMs, signal)
    }
  }

  /** @returns whether all is as it should be */
  async #tend(signal: AbortSignal): Promise<boolean> {
    try {
      for (const own of this.#subnets) await this.#tendFamily(own, signal)
      this.#complaints.forget()
      return true
    } catch (error) {
      if (signal.aborted || !isCurable(error)) throw error
      if (this.#complaints.isNews(error)) this.#ports.log.warn(`blackhole route: ${error.message}; trying again`)
      return false
    }
  }

  async #tendFamily({ overlay, subnet }: OwnSubnet, signal: AbortSignal): Promise<void> {
    const { kernel } = this.#ports
    const ours = (await kernel.routes(subnet.family, signal)).filter((route) => isOurs(route, overlay.network))
    const isThere = ours.some(({ destination }) => destination.text === subnet.text)
    const leftovers = ours.filter(({ destination }) => !this.#isWanted || destination.text !== subnet.text)
    const ops: readonly KernelOp[] = [
      ...(this.#isWanted && !isThere ? [{ op: 'route.replace' as const, ...blackhole(subnet) }] : []),
      ...leftovers.map(({ destination }) => ({ op: 'route.delete' as const, ...blackhole(destination) })),
    ]
    if (ops.length === 0) return
    for (const result of await kernel.apply(ops, signal)) if (!result.ok) throw result.error
    this.#ports.log.info('blackhole route of our subnet set', { subnet: subnet.text, wanted: this.#isWanted })
  }
}

const isOurs = ({ destination, type, protocol, metric }: RouteState, network: Prefix): boolean =>
  type === RTN_BLACKHOLE && protocol === ROUTE_PROTOCOL && metric === METRIC && prefixCovers(network, destination)

const blackhole = (
  destination: Prefix,
): { destination: Prefix; type: 'blackhole'; metric: number; protocol: number } => ({
  destination,
  type: 'blackhole',
  metric: METRIC,
  protocol: ROUTE_PROTOCOL,
})
