import { isStopped } from '../../../src/agent/runtime/task.ts'
import type { OverlayNetwork } from '../../../src/config/network.ts'
import { parseNetworkConfig, subnetFits } from '../../../src/config/network.ts'
import type { Challenges } from '../../../src/lease/challenges.ts'
import { decodeLease, encodeLease, formatLeaseKey, parseLeaseKey } from '../../../src/lease/codec.ts'
import type { LeaseList, LeaseRecord, LeaseStore, LeaseWatchEvent } from '../../../src/lease/store.ts'
import { prefixOf, subnetAt, subnetIndex, type Prefix } from '../../../src/net/prefix.ts'
import { beliefIn, WorldNode } from './node.ts'
import type { Process } from './process.ts'

/** A new etcd lease and a new put, an hour before the old one ends, in milliseconds. */
const RENEWED_AFTER_MS = 82_800_000
/** Until whoever watches the process has started it again, in milliseconds. */
const RESTART_MS = 5_000
const TTL_SECONDS = 86_400

interface Taken {
  readonly record: LeaseRecord
  /** What it was chosen on. */
  readonly list: LeaseList
}

/**
 * A node in upstream's shape: it takes the lease with its PublicIP for its own, else a subnet that nobody has in just this form, with a
 * transaction on the key alone; looks at nothing afterwards; renews by putting again; ends when its key is deleted.
 */
export class UpstreamNode extends WorldNode {
  readonly isOurs = false

  protected async live(process: Process, store: LeaseStore & Challenges): Promise<void> {
    const { clock, signal } = process
    while (!signal.aborted) {
      const taken = await this.#acquire(process, store).catch((error: unknown) => {
        this.say(String(error))
      })
      if (taken !== undefined) await this.#hold(taken, store, process)
      await clock.sleep(RESTART_MS, signal)
    }
  }

  async #acquire(process: Process, store: LeaseStore): Promise<Taken | undefined> {
    const { signal } = process
    const config = await store.readConfig(signal)
    const { overlays } = parseNetworkConfig(config?.value ?? '')
    const list = await store.list(signal)
    const own = list.records.find((record) => this.#isOwn(record))
    if (own !== undefined && fits(own, overlays)) return { record: await this.#put(own.key, own.value, process), list }
    if (own !== undefined) await store.remove(own, signal)
    const subnets = overlays.map((overlay) => this.#choose(overlay, list))
    if (subnets.some((subnet) => subnet === undefined)) return undefined
    const chosen = subnets.filter((subnet) => subnet !== undefined)
    const lifetime = { kind: 'grant', ttlSeconds: TTL_SECONDS } as const
    const created = await store.create(formatLeaseKey(chosen), this.#value(chosen), lifetime, signal)
    return created.ok ? { record: created.record, list } : undefined
  }

  async #hold({ record, list }: Taken, store: LeaseStore, process: Process): Promise<void> {
    const { signal } = process
    const lease = decodeLease(record)
    if ('rejected' in lease || signal.aborted) return
    this.say(`took ${record.key}`)
    this.believe(beliefIn(lease))
    const over = new AbortController()
    const until = AbortSignal.any([signal, over.signal])
    const renewing = this.#renew(record, process, until)
    await this.#untilDeleted(record, store.watch({ clusterId: list.clusterId, revision: record.modRevision }, until))
    over.abort()
    await renewing
    if (!isStopped(signal)) this.believe(undefined)
  }

  async #renew({ key, value }: LeaseRecord, process: Process, signal: AbortSignal): Promise<void> {
    for (;;) {
      await process.clock.sleep(RENEWED_AFTER_MS, signal)
      if (signal.aborted) return
      await this.#put(key, value, process)
    }
  }

  async #untilDeleted({ key }: LeaseRecord, events: AsyncIterable<LeaseWatchEvent>): Promise<void> {
    for await (const event of events)
      if (event.kind !== 'deltas' || event.deltas.some((delta) => delta.kind === 'deleted' && delta.key === key)) return
  }

  async #put(key: string, value: string, { clock, signal }: Process): Promise<LeaseRecord> {
    await clock.sleep(this.world.nextDelayMs(), signal)
    const record = await this.world.stage.putLease(key, value)
    this.world.onWritten(this, record)
    return record
  }

  #isOwn(record: LeaseRecord): boolean {
    const lease = decodeLease(record)
    return (
      !('rejected' in lease) &&
      lease.families.some(({ family, publicIp }) => publicIp.text === this.publicIps.get(family)?.text)
    )
  }

  #choose(overlay: OverlayNetwork, { records }: LeaseList): Prefix | undefined {
    const taken = new Set(records.flatMap(({ key }) => parseLeaseKey(key) ?? []).map(({ text }) => text))
    const free = allSubnets(overlay).filter(({ text }) => !taken.has(text))
    return free[Math.floor(this.world.random() * free.length)]
  }

  #value(subnets: readonly Prefix[]): string {
    const families = subnets.map((subnet) => {
      const publicIp = this.publicIps.get(subnet.family)
      if (publicIp === undefined) throw new RangeError('no such address')
      const VtepMAC = `02:00:00:00:0${subnet.family}:${this.number.toString(16).padStart(2, '0')}`
      return { family: subnet.family, subnet, publicIp, backendData: { VNI: 1, VtepMAC } }
    })
    return encodeLease({ backendType: 'vxlan', families })
  }
}

/** Every subnet that a configuration hands out in one family. */
export function allSubnets({ network, subnetLength, subnetMin, subnetMax }: OverlayNetwork): readonly Prefix[] {
  const indexOf = (base: OverlayNetwork['subnetMin']): bigint => subnetIndex(network, prefixOf(base, subnetLength))
  const first = indexOf(subnetMin)
  return Array.from({ length: Number(indexOf(subnetMax) - first) + 1 }, (_, at) =>
    subnetAt(network, subnetLength, first + BigInt(at)),
  )
}

const fits = (record: LeaseRecord, overlays: readonly OverlayNetwork[]): boolean => {
  const subnets = parseLeaseKey(record.key) ?? []
  return (
    subnets.length === overlays.length &&
    overlays.every((overlay) => subnets.some((subnet) => subnetFits(overlay, subnet)))
  )
}
