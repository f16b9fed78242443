import { describe, expect, it } from 'vitest'
import { AGENT_METRICS, answerMetrics, type MetricsAnswer, type MetricsSource } from '../../../src/metrics/answer.ts'
import type { ConditionStatus } from '../../../src/status/document.ts'
import type { Readings } from '../../../src/metrics/readings.ts'
import { samplePeer, sampleReadings, sampleStatus } from '../../fake/sample-readings.ts'

const sourceOf = (
  other: Partial<Readings> = {},
  peers: MetricsSource['peers'] = () => ({ peers: () => [] }),
): MetricsSource => ({
  agent: () => Promise.resolve(sampleReadings(other)),
  peers,
})

const textOf = (body: MetricsAnswer['body']): string => (typeof body === 'string' ? body : [...body].join(''))

async function scrape(source: MetricsSource, query = '', accept?: string): Promise<string> {
  const answer = await answerMetrics({ query: new URLSearchParams(query), accept }, source)
  expect(answer.status).toBe(200)
  return textOf(answer.body)
}

/** Lines that are series, without help and types. */
const seriesOf = (text: string): readonly string[] =>
  text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))

const seriesNamed = (text: string, name: string): readonly string[] =>
  seriesOf(text).filter((line) => /^[^ {]*/.exec(line)?.[0] === name)

describe('metrics of the agent', () => {
  it.each([
    ['etcd', /^flannel_apiserver_/],
    ['kubernetes', /^flannel_(etcd_|(free_)?subnets$)/],
  ] as const)(
    'are told with the help and type that each is defined with, with %s as the store',
    async (kind, others) => {
      const status = sampleStatus({ conditions: [CONDITION] })
      const subnets = kind === 'etcd' ? {} : { subnets: [] }
      const text = await scrape(sourceOf({ status: { ...status, store: { ...status.store, kind } }, ...subnets }))
      expect(seriesOf(text).filter((line) => others.test(line.replace(/[{ ].*/, '')))).toEqual([])
      for (const { name, help, type } of AGENT_METRICS.filter((metric) => !others.test(metric.name))) {
        expect(text).toContain(`# HELP ${name} ${help}\n`)
        expect(text).toContain(`# TYPE ${name} ${type}\n`)
      }
    },
  )

  it('have no series twice, and no value that is no number', async () => {
    const series = seriesOf(await scrape(sourceOf()))
    const names = series.map((line) => line.slice(0, line.lastIndexOf(' ')))
    expect(new Set(names).size).toBe(names.length)
    for (const line of series) expect(Number(line.slice(line.lastIndexOf(' ')))).not.toBeNaN()
  })

  it('tell the state of the node as one of three, and which conditions fail with which effect', async () => {
    const text = await scrape(sourceOf({ status: sampleStatus({ state: 'degraded', conditions: [CONDITION] }) }))
    expect(seriesNamed(text, 'flannel_node_state')).toEqual([
      'flannel_node_state{state="ready"} 0',
      'flannel_node_state{state="degraded"} 1',
      'flannel_node_state{state="unready"} 0',
    ])
    expect(seriesNamed(text, 'flannel_condition')).toEqual(['flannel_condition{condition="etcd",effect="degraded"} 1'])
  })

  it('count rejected leases under a few reasons, whatever those leases say', async () => {
    const rejections = Array.from({ length: 3_000 }, () => 'malformed' as const)
    const text = await scrape(sourceOf({ rejections: [...rejections, 'other_vni'] }))
    const rejected = seriesNamed(text, 'flannel_rejected_leases')
    expect(rejected.filter((line) => !line.endsWith(' 0'))).toEqual([
      'flannel_rejected_leases{reason="other_vni"} 1',
      'flannel_rejected_leases{reason="malformed"} 3000',
    ])
    expect(rejected).toHaveLength(11)
  })

  it('count pending rows by table, 0 where all is well', async () => {
    const text = await scrape(
      sourceOf({
        pending: [
          { family: 4, table: 'fdb' },
          { family: 4, table: 'fdb' },
        ],
      }),
    )
    expect(seriesNamed(text, 'flannel_pending_rows')).toHaveLength(6)
    expect(text).toContain('flannel_pending_rows{family="4",table="fdb"} 2\n')
    expect(text).toContain('flannel_pending_rows{family="6",table="route"} 0\n')
  })

  it('leave out what is not there: the life of a reservation, an endpoint that nobody has asked, probes that are off', async () => {
    const { lease, store } = sampleStatus()
    if (lease === null) throw new TypeError('no lease')
    const status = sampleStatus({
      lease: { ...lease, expiresAt: null, secondsLeft: null },
      store: { ...store, renewedAt: null },
    })
    const text = await scrape(sourceOf({ status, probes: undefined }))
    expect(text).not.toContain('flannel_lease_remaining_seconds')
    expect(text).not.toContain('flannel_lease_renewal_age_seconds')
    expect(text).not.toContain('flannel_probe')
    expect(seriesNamed(text, 'flannel_etcd_endpoint_up')).toEqual([
      'flannel_etcd_endpoint_up{endpoint="https://10.0.0.1:2379"} 1',
    ])
    expect(text).toContain('flannel_lease_held 1\n')
  })

  it('count histograms up to infinity', async () => {
    const text = await scrape(sourceOf())
    expect(seriesOf(text).filter((line) => line.startsWith('flannel_probe_round_trip'))).toEqual([
      'flannel_probe_round_trip_seconds_bucket{le="0.001"} 1',
      'flannel_probe_round_trip_seconds_bucket{le="0.01"} 1',
      'flannel_probe_round_trip_seconds_bucket{le="+Inf"} 1',
      'flannel_probe_round_trip_seconds_sum 0.0005',
      'flannel_probe_round_trip_seconds_count 1',
    ])
  })

  it('are under 500 series on a host of two families, with every condition failing, whatever the number of peers', async () => {
    const conditions = Array.from({ length: 500 }, (_, at) => ({ ...CONDITION, what: `device flannel.${at}` }))
    const rejections = Array.from({ length: 10_000 }, () => 'own_mac' as const)
    const text = await scrape(sourceOf({ status: sampleStatus({ conditions }), rejections }))
    expect(seriesOf(text).length).toBeLessThan(500)
  })
})

describe('who asks', () => {
  it('has series of each peer only on request, and then only them unless both are asked for', async () => {
    const peers = [
      samplePeer(1),
      samplePeer(2, { reach: 'unreachable', rttMs: null, loss: 1, name: 'b"\n\\' }),
      samplePeer(3, { reach: 'unknown', rttMs: null }),
    ]
    const source = sourceOf({}, () => ({ peers: () => peers }))
    expect(await scrape(source)).not.toMatch(/flannel_peer_(reachable|round|loss)/)
    const text = await scrape(source, 'collect[]=peers')
    expect(seriesNamed(text, 'flannel_peer_reachable')).toEqual([
      'flannel_peer_reachable{family="4",subnet="10.1.0.0/20",public_ip="192.168.205.1",peer="host-1"} 1',
      expect.stringMatching(
        /^flannel_peer_reachable\{family="4",subnet="10\.2\.0\.0\/20",public_ip="192\.168\.205\.2",peer="[^\n]*"\} 0$/,
      ) as string,
    ])
    expect(seriesNamed(text, 'flannel_peer_round_trip_seconds')).toHaveLength(1)
    expect(text).not.toContain('flannel_build_info')
    const both = await scrape(source, 'collect[]=peers&collect[]=agent', 'application/openmetrics-text;version=1.0.0')
    expect(seriesNamed(both, 'flannel_build_info')).toHaveLength(1)
    expect(seriesNamed(both, 'flannel_peer_loss_ratio')).toHaveLength(2)
    expect(both.split('# EOF\n')).toEqual([expect.any(String) as unknown, ''])
  })

  it('has what the agent has carried for each peer, of those that it carries for', async () => {
    const counts = { sentPackets: 7, sentOctets: 700, receivedPackets: 5, receivedOctets: 500, refusedPackets: 1 }
    const peers = [samplePeer(1), samplePeer(2, { forwarder: counts })]
    const text = await scrape(
      sourceOf({}, () => ({ peers: () => peers })),
      'collect[]=peers',
    )
    const labels = 'family="4",subnet="10.2.0.0/20",public_ip="192.168.205.2",peer="host-2"'
    expect(seriesNamed(text, 'flannel_peer_forwarded_packets_total')).toEqual([
      `flannel_peer_forwarded_packets_total{${labels},direction="sent"} 7`,
      `flannel_peer_forwarded_packets_total{${labels},direction="received"} 5`,
    ])
    expect(seriesNamed(text, 'flannel_peer_forwarded_bytes_total')).toHaveLength(2)
    expect(seriesNamed(text, 'flannel_peer_forwarder_refused_total')).toEqual([
      `flannel_peer_forwarder_refused_total{${labels}} 1`,
    ])
  })

  it('is told what can be asked for', async () => {
    const question = { query: new URLSearchParams('collect[]=pears'), accept: undefined }
    expect(await answerMetrics(question, sourceOf())).toMatchObject({
      status: 400,
      body: 'collect[]: expected agent or peers, found "pears"\n',
    })
  })

  it.each([
    [undefined, 'text'],
    ['*/*', 'text'],
    // of Prometheus 2.42, and of 2.0
    [
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      'openmetrics',
    ],
    ['text/plain;version=0.0.4;q=1,*/*;q=0.1', 'text'],
    ['application/openmetrics-text; version=0.0.1', 'text'],
    ['application/json', 'text'],
    ['text/plain,application/openmetrics-text;q=0.5', 'text'],
  ])('and accepts %s is answered in %s', async (accept, format) => {
    const { contentType, body } = await answerMetrics({ query: new URLSearchParams(), accept }, sourceOf())
    expect(contentType.startsWith('application/openmetrics-text')).toBe(format === 'openmetrics')
    const text = textOf(body)
    expect(text.endsWith('# EOF\n')).toBe(format === 'openmetrics')
    expect(text).toContain('process_cpu_seconds_total 1.25\n')
  })

  it('twice at once is answered twice, each in its own format', async () => {
    const source = sourceOf()
    const openMetrics = 'application/openmetrics-text;version=1.0.0'
    const [one, two] = await Promise.all([scrape(source), scrape(source, '', openMetrics)])
    expect(one).toContain('# TYPE flannel_etcd_reconnects_total counter')
    expect(two).toContain('# TYPE flannel_etcd_reconnects counter')
    expect(seriesOf(one)).toEqual(seriesOf(two))
  })
})

const CONDITION: ConditionStatus = {
  what: 'etcd',
  reason: 'is out of reach',
  fault: null,
  effect: 'degraded',
  since: '2026-11-30T00:00:00.000Z',
  forSeconds: 7,
}
