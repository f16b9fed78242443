import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from '../lab/index.ts'
import { Prometheus } from '../lab/prometheus.ts'
import { CONFIG, useLab } from '../lab/use-lab.ts'
import { expressionsOf, readDashboard } from '../unit/prometheus/dashboard.ts'
import { hindrance, prometheusCommand, promtool, ROOT } from '../unit/prometheus/promtool.ts'

const PORT = 8081
const PATIENTLY = { deadlineMs: 60_000, everyMs: 200 }
/** In the guide, one for each metric. */
const EXAMPLES = Array.from(
  readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8').matchAll(
    /^\| `\w+` \| (?:gauge|counter|histogram) \|.*\| `(.*)` \|$/gm,
  ),
  ([, example = '']) => example,
)

describe.skipIf(hindrance !== undefined)('Prometheus', () => {
  let prometheus: Prometheus | undefined
  const lab = useLab({ hosts: 2 }, async (made) => {
    await made.putConfig(CONFIG)
    for (const { agent } of made.hosts) agent.start(['--healthz-ip=0.0.0.0'])
    await Promise.all(made.hosts.map((host) => host.ready()))
  })
  beforeAll(async () => {
    prometheus = await Prometheus.start({
      command: prometheusCommand('prometheus'),
      targets: lab().hosts.map(({ address }) => `${address}:${PORT}`),
      rules: join(ROOT, 'packaging/prometheus/flannel.rules.yml'),
    })
  })
  afterAll(() => prometheus?.close())

  const it = (): Prometheus => {
    if (prometheus === undefined) throw new Error('Prometheus is not up yet')
    return prometheus
  }

  const firing = async (): Promise<readonly string[]> =>
    (await it().firing()).map(({ labels }) => labels['alertname'] ?? '')

  const becomes = (what: string, expression: string, value: number | undefined): Promise<boolean> =>
    waitFor(what, async () => (await it().value(expression)) === value, PATIENTLY)

  /** The network between the hosts loses what is sent to the port of VXLAN, and nothing else. */
  async function loseVxlan(): Promise<() => Promise<void>> {
    const { place } = lab().underlay
    const chain = 'chain ingress { type filter hook ingress device "host1" priority 0; udp dport 8472 drop; };'
    await place.exec('nft', [`table netdev lost { ${chain} };`])
    return async () => {
      await place.exec('nft', ['delete table netdev lost'])
    }
  }

  /** Has a host ask its peers now. */
  const askPeers = (at: number): Promise<string> =>
    lab()
      .host(at)
      .place.exec('curl', ['-s', '-X', 'POST', '--unix-socket', '/run/flannel/flanneld.sock', 'http://x/v1/probe'])

  test('scrapes two agents, both of which reach each other, and nothing is amiss', async () => {
    await becomes('two targets to answer', 'sum(up{job="flannel"})', 2)
    await becomes('both to reach the other', 'sum(flannel_peers{reach="reachable"})', 2)
    expect(await it().targets()).toEqual(
      [1, 2].map(() => expect.objectContaining({ health: 'up', lastError: '' }) as unknown),
    )
    expect(await it().value('sum(flannel_node_state{state="ready"})')).toBe(2)
    expect(await it().value('max(scrape_samples_scraped)')).toBeLessThan(500)
    // while the agents started, they were absent
    await waitFor('no alert to fire', async () => (await firing()).length === 0, { deadlineMs: 20_000 })
  })

  test('understands every query of the dashboard and of the guide', async () => {
    const [first] = lab().hosts
    const expressions = [...expressionsOf(readDashboard(), 'flannel', `${first?.address ?? ''}:${PORT}`), ...EXAMPLES]
    expect(expressions.length).toBeGreaterThan(80)
    await Promise.all(expressions.map((one) => it().query(one)))
  })

  test('has a number for each figure of the dashboard', async () => {
    const dashboard = readDashboard()
    const panels = dashboard.panels.filter(({ type }) => type === 'stat')
    const figures = expressionsOf({ ...dashboard, panels }, 'flannel', `${lab().host(0).address}:${PORT}`)
    const values = await Promise.all(figures.map(async (one) => [one, await it().value(one)] as const))
    expect(values.filter(([, value]) => value === undefined || Number.isNaN(value))).toEqual([])
    expect(figures.length).toBeGreaterThan(10)
  })

  test("finds nothing to say of an agent's own answer", async () => {
    const text = await lab()
      .host(0)
      .place.exec('curl', ['-s', `http://127.0.0.1:${PORT}/metrics`])
    const { code, stdout, stderr } = await promtool(['check', 'metrics'], text)
    expect([code, `${stdout}${stderr}`]).toEqual([0, ''])
  })

  test('raises the alert when packets to a peer are lost, and withdraws it when they arrive again', async () => {
    const restore = await loseVxlan()
    try {
      await Promise.all([askPeers(0), askPeers(1)])
      const alert = async () =>
        (await it().firing()).find(({ labels }) => labels['alertname'] === 'FlannelPeersUnreachable')?.annotations
      const nodes = lab().hosts.map(({ address }) => `${address}:${PORT} (1)`)
      const namesBoth = async (): Promise<boolean> => {
        const { description = '' } = (await alert()) ?? {}
        return nodes.every((node) => description.includes(node))
      }
      await waitFor('the alert to name both nodes', namesBoth, PATIENTLY)
      expect((await alert())?.['summary']).toBe('Flannel nodes cannot reach 1 of their peers over the overlay')
    } finally {
      await restore()
    }
    await Promise.all([askPeers(0), askPeers(1)])
    await waitFor('the alert to be gone', async () => (await firing()).length === 0, PATIENTLY)
    await becomes('both to reach the other again', 'sum(flannel_peers{reach="reachable"})', 2)
  })
})
