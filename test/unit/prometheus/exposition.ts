import { answerMetrics, AGENT_METRICS, type MetricsSource } from '../../../src/metrics/answer.ts'
import { PEER_METRICS } from '../../../src/metrics/peer-metrics.ts'
import { samplePeer, sampleReadings } from '../../fake/sample-readings.ts'

const SOURCE: MetricsSource = {
  agent: () => Promise.resolve(sampleReadings()),
  peers: () => ({ peers: () => [samplePeer(1), samplePeer(2)] }),
}

/** What a node tells that fares well. */
export async function exposition(accept?: string, query = ''): Promise<string> {
  const { body } = await answerMetrics({ query: new URLSearchParams(query), accept }, SOURCE)
  return typeof body === 'string' ? body : [...body].join('')
}

/** Names under which series of our metrics are found: of a histogram there are three. */
export const SERIES_NAMES: ReadonlySet<string> = new Set(
  [...AGENT_METRICS, ...PEER_METRICS].flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
)

/** Names of metrics in an expression. */
export const namesIn = (expression: string): readonly string[] =>
  expression.replaceAll(/"[^"]*"|'[^']*'/g, '').match(/\b(flannel|process)_[a-z_]+\b/g) ?? []
