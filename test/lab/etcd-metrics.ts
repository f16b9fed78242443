/** What etcd says of itself at /metrics (etcd: metrics/v3.4, grpc-prometheus), at one moment. */
export class EtcdMetrics {
  readonly #samples: readonly Sample[]

  private constructor(samples: readonly Sample[]) {
    this.#samples = samples
  }

  /** @param endpoint client URL of a member */
  static async read(endpoint: string): Promise<EtcdMetrics> {
    const text = await (await fetch(`${endpoint}/metrics`)).text()
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    return new EtcdMetrics(lines.map(parseSample))
  }

  /** The sum of all series of a name that have these labels. */
  sum(name: string, labels: Labels = {}): number {
    return this.#select(name, labels).reduce((sum, { value }) => sum + value, 0)
  }

  /** Requests so far by method, as `etcdserverpb.KV/Range`. */
  calls(): ReadonlyMap<string, number> {
    const started = this.#select('grpc_server_started_total', {})
    return new Map(started.map(({ labels, value }) => [`${labels['grpc_service']}/${labels['grpc_method']}`, value]))
  }

  /** Requests by method between then and now, those of which there was none left out. */
  callsSince(before: EtcdMetrics): Readonly<Record<string, number>> {
    const then = before.calls()
    const more = [...this.calls()].map(([method, count]) => [method, count - (then.get(method) ?? 0)] as const)
    return Object.fromEntries(more.filter(([, count]) => count > 0))
  }

  /** A sum between then and now. */
  since(before: EtcdMetrics, name: string, labels: Labels = {}): number {
    return this.sum(name, labels) - before.sum(name, labels)
  }

  /**
   * A quantile of a histogram between then and now, in its unit: the upper bound of the bucket that it falls into.
   * @returns undefined where nothing was counted
   */
  quantileSince(before: EtcdMetrics, name: string, share: number, labels: Labels = {}): number | undefined {
    const bounds = [...new Set(this.#select(`${name}_bucket`, labels).map(({ labels: { le = '' } }) => le))]
    const upTo = (le: string): number => this.since(before, `${name}_bucket`, { ...labels, le })
    const total = upTo('+Inf')
    if (total === 0) return undefined
    return Math.min(
      ...bounds.filter((le) => upTo(le) >= total * share).map((le) => Number(le.replace('+Inf', 'Infinity'))),
    )
  }

  #select(name: string, labels: Labels): readonly Sample[] {
    return this.#samples.filter(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )
  }
}

type Labels = Readonly<Record<string, string>>

interface Sample {
  readonly name: string
  readonly labels: Labels
  readonly value: number
}

/** One line of Prometheus' text format, without a time. */
function parseSample(line: string): Sample {
  const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  const pairs = Array.from(labels.matchAll(/(\w+)="([^"]*)"/g), ([, label = '', text = '']) => [label, text])
  return { name, labels: Object.fromEntries(pairs) as Labels, value: Number(value) }
}
