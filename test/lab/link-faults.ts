import type { Place } from './namespace.ts'

/** Faults on one machine's connection to the switch, made at both ends of it. */
export class LinkFaults {
  readonly #host: Place
  readonly #switch: Place
  readonly #port: string

  constructor(host: Place, switchPlace: Place, port: string) {
    this.#host = host
    this.#switch = switchPlace
    this.#port = port
  }

  /** Pulls the cable: eth0 loses its carrier. */
  async cut(): Promise<void> {
    await this.#switch.exec('ip', ['link', 'set', this.#port, 'down'])
  }

  async restore(): Promise<void> {
    await this.#switch.exec('ip', ['link', 'set', this.#port, 'up'])
  }

  /** Limits both directions, with up to 400 ms of queue; undefined lifts the limit. */
  async limitRate(megabitsPerSecond: number | undefined): Promise<void> {
    const shape = ['tbf', 'rate', `${megabitsPerSecond ?? 0}mbit`, 'burst', '64kb', 'latency', '400ms']
    for (const [place, device] of this.#ends()) {
      if (megabitsPerSecond === undefined) await place.attempt('tc', ['qdisc', 'del', 'dev', device, 'root'])
      else await place.exec('tc', ['qdisc', 'replace', 'dev', device, 'root', ...shape])
    }
  }

  /** Drops this share of the packets of both directions at random; 0 ends it. */
  async drop(percent: number): Promise<void> {
    const rule = percent < 100 ? `numgen random mod 100 < ${percent} drop;` : 'drop;'
    for (const [place, device] of this.#ends()) {
      const table = `loss_${device}`
      const chain = `chain ingress { type filter hook ingress device "${device}" priority 0; ${rule} };`
      const clear = `table netdev ${table} {}; delete table netdev ${table};`
      const install = percent === 0 ? '' : `table netdev ${table} { ${chain} };`
      await place.exec('nft', [`${clear} ${install}`])
    }
  }

  #ends(): readonly (readonly [Place, string])[] {
    return [
      [this.#host, 'eth0'],
      [this.#switch, this.#port],
    ]
  }
}
