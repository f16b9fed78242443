import { Counter, Gauge, Histogram, Registry, type RegistryContentType } from 'prom-client'
import type { Definition, HistogramSample, Labels, Sample } from './definition.ts'

/** Prometheus' text format, and the one that came of it. */
export type Format = 'text' | 'openmetrics'

export const CONTENT_TYPES: Readonly<Record<Format, RegistryContentType>> = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
}

interface Named {
  readonly name: string
  readonly help: string
  readonly labelNames: string[]
}

/** A histogram that was counted elsewhere: prom-client's own takes one value at a time. */
class CountedHistogram extends Gauge {
  readonly #named: Named
  readonly #values: { metricName: string; labels: Labels; value: number }[] = []

  constructor(named: Named) {
    super({ ...named, registers: [] })
    this.#named = named
  }

  add({ labels = {}, histogram }: HistogramSample): void {
    if (histogram === undefined) return
    const { name } = this.#named
    const { bounds, cumulative, count, sum } = histogram
    bounds.forEach((bound, at) => {
      const le = `${bound}`
      this.#values.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: cumulative[at] ?? 0 })
    })
    this.#values.push({ metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count })
    this.#values.push({ metricName: `${name}_sum`, labels, value: sum })
    this.#values.push({ metricName: `${name}_count`, labels, value: count })
  }

  get hasSamples(): boolean {
    return this.#values.length > 0
  }

  override async get(): ReturnType<Gauge['get']> {
    const ofItsKind = await new Histogram({ ...this.#named, registers: [] }).get()
    return { ...ofItsKind, values: this.#values }
  }
}

/**
 * All metrics as text. The registry is made for this one answer, so that nothing of it stays: neither series of what is no more, nor memory.
 * A metric of which nothing is known is left out.
 */
export function expose<R>(definitions: readonly Definition<R>[], readings: R, format: Format): Promise<string> {
  const registry = new Registry<RegistryContentType>()
  registry.setContentType(CONTENT_TYPES[format])
  for (const definition of definitions) register(registry, definition, readings)
  return registry.metrics()
}

type KnownSample = Sample & { readonly value: number }

const isKnown = (sample: Sample): sample is KnownSample =>
  typeof sample.value === 'number' && !Number.isNaN(sample.value)

function register<R>(registry: Registry<RegistryContentType>, definition: Definition<R>, readings: R): void {
  const { name, help, labels } = definition
  const named = { name, help, labelNames: [...labels] }
  if (definition.type === 'histogram') {
    const histogram = new CountedHistogram(named)
    for (const sample of definition.read(readings)) histogram.add(sample)
    if (histogram.hasSamples) registry.registerMetric(histogram)
    return
  }
  const samples = [...definition.read(readings)].filter(isKnown)
  if (samples.length === 0) return
  const [metric, set] = definition.type === 'gauge' ? gauge(named) : counter(named)
  for (const { labels: of = {}, value } of samples) set(of, value)
  registry.registerMetric(metric)
}

type Setter = (labels: Labels, value: number) => void

function gauge(named: Named): [Gauge, Setter] {
  const metric = new Gauge({ ...named, registers: [] })
  return [
    metric,
    (labels, value) => {
      metric.set(labels, value)
    },
  ]
}

function counter(named: Named): [Counter, Setter] {
  const metric = new Counter({ ...named, registers: [] })
  return [
    metric,
    (labels, value) => {
      metric.inc(labels, value)
    },
  ]
}
