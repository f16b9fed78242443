import type { Definition } from './definition.ts'
import { CONTENT_TYPES, expose, type Format } from './expose.ts'
import { inPieces } from './in-pieces.ts'
import { NODE_METRICS } from './node-metrics.ts'
import { PEER_METRICS } from './peer-metrics.ts'
import { PROCESS_METRICS } from './process-metrics.ts'
import type { PeerReadings, Readings } from './readings.ts'
import { STORE_METRICS } from './store-metrics.ts'

/** What is told of the agent as a whole. */
export const AGENT_METRICS: readonly Definition<Readings>[] = [...NODE_METRICS, ...STORE_METRICS, ...PROCESS_METRICS]

/** Where the numbers come from: looked up when they are asked for. */
export interface MetricsSource {
  readonly agent: () => Promise<Readings>
  readonly peers: () => PeerReadings
}

export interface MetricsQuestion {
  readonly query: URLSearchParams
  /** The header of this name, if there was one. */
  readonly accept: string | undefined
}

export interface MetricsAnswer {
  readonly status: 200 | 400
  readonly contentType: string
  readonly body: string | Iterable<string>
}

/** What can be asked for by `collect[]`, as exporters have it; by default what does not grow with the number of peers. */
const COLLECTIONS = ['agent', 'peers'] as const

/**
 * Answers who asks for metrics. Costs in proportion to what is pending and rejected, and a look at each peer; series of each only if they are
 * asked for.
 */
export async function answerMetrics({ query, accept }: MetricsQuestion, source: MetricsSource): Promise<MetricsAnswer> {
  const asked = new Set(query.getAll('collect[]'))
  const unknown = [...asked].find((name) => !COLLECTIONS.some((known) => known === name))
  if (unknown !== undefined)
    return {
      status: 400,
      contentType: 'text/plain; charset=utf-8',
      body: `collect[]: expected ${COLLECTIONS.join(' or ')}, found ${JSON.stringify(unknown.slice(0, 50))}\n`,
    }
  const format = formatFor(accept)
  const contentType = CONTENT_TYPES[format]
  const isForAgent = asked.size === 0 || asked.has('agent')
  const ofAgent = isForAgent ? await expose(AGENT_METRICS, await source.agent(), format) : ''
  if (!asked.has('peers')) return { status: 200, contentType, body: ofAgent }
  return { status: 200, contentType, body: withPeers(ofAgent, source.peers(), format) }
}

const END = '# EOF\n'

function* withPeers(ofAgent: string, readings: PeerReadings, format: Format): Generator<string> {
  yield ofAgent.endsWith(END) ? ofAgent.slice(0, -END.length) : ofAgent
  yield* inPieces(PEER_METRICS, readings)
  if (format === 'openmetrics') yield END
}

/** OpenMetrics for who prefers it (RFC 9110 section 12.5.1); Prometheus' text for everybody else. */
function formatFor(accept = ''): Format {
  let best: { readonly format: Format; readonly quality: number } = { format: 'text', quality: 0 }
  for (const range of accept.split(',', MOST_RANGES)) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const values = new Map(parameters.map((parameter) => splitAtEquals(parameter)))
    const format = formatOf(type, values.get('version'))
    const quality = Number(values.get('q') ?? '1')
    if (format !== undefined && quality > best.quality) best = { format, quality }
  }
  return best.format
}

const MOST_RANGES = 20

const splitAtEquals = (text: string): [string, string] => {
  const [name = '', value = ''] = text.split('=')
  return [name, value]
}

function formatOf(type: string, version: string | undefined): Format | undefined {
  if (type === 'application/openmetrics-text')
    return version === undefined || version === '1.0.0' ? 'openmetrics' : undefined
  return ['text/plain', 'text/*', '*/*'].includes(type) ? 'text' : undefined
}
