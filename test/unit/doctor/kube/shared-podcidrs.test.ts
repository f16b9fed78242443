import { describe, expect, it } from 'vitest'
import type { Finding } from '../../../../src/doctor/finding.ts'
import type { KubeReads, NodeSeen } from '../../../../src/doctor/kube-facts.ts'
import { sharedPodCidrs } from '../../../../src/doctor/kube/shared-podcidrs.ts'
import type { RejectedStatus } from '../../../../src/status/document.ts'
import { condition, fakeView } from '../../../fake/fake-view.ts'
import { sampleStatus } from '../../../fake/status-samples.ts'

const OLD: NodeSeen = { createdMs: Date.parse('2026-01-01T00:00:00Z') }
const YOUNG: NodeSeen = { createdMs: Date.parse('2026-02-01T00:00:00Z') }

interface Cluster {
  readonly own: string
  readonly nodes?: Readonly<Record<string, NodeSeen>>
  /** What the condition says. */
  readonly same?: string
  readonly rejected?: readonly RejectedStatus[]
}

async function found({ own, nodes = {}, same, rejected = [] }: Cluster): Promise<readonly Finding[]> {
  const base = sampleStatus([], { rejected: { total: rejected.length, rows: rejected } })
  const agent = {
    ...base,
    node: { ...base.node, id: own },
    conditions: same === undefined ? [] : [condition('podCIDRs of Nodes', { reason: same, effect: 'none' })],
  }
  const notAsked = () => Promise.reject(new TypeError('not asked'))
  const kube: KubeReads = {
    ...{ netConfigPath: '/net-conf.json', server: 'server:', from: 'here', ask: notAsked, askBriefly: notAsked },
    nodes: (names) => Promise.resolve(new Map(Object.entries(nodes).filter(([name]) => names.includes(name)))),
  }
  const { view } = fakeView({ agent })
  return sharedPodCidrs.look({ ...view, kube }, new AbortController().signal)
}

const SAME = 'Nodes host0 and host1 have the same podCIDR 10.10.0.0-24'

describe('Nodes with one podCIDR', () => {
  it('are told with the younger one to be deleted, whichever of them this is', async () => {
    for (const own of ['host0', 'host1']) {
      const [finding] = await found({ own, nodes: { host0: OLD, host1: YOUNG }, same: SAME })
      expect(finding).toMatchObject({ cause: 'podcidr-shared', severity: 'broken', explains: ['podCIDRs of Nodes'] })
      expect(finding?.summary).toContain('that of host0, the older one')
      expect(finding?.cure).toEqual([
        expect.stringMatching(/^kubectl delete node host1, .*on host1: systemctl restart kubelet/),
      ])
    }
  })

  it('have the bridge of the younger host left alone, which would hand addresses out twice', async () => {
    const nodes = { host0: OLD, host1: YOUNG }
    expect(await found({ own: 'host1', nodes, same: SAME })).toMatchObject([
      { leadsTo: ['bridge-on-other-subnet'], covers: 'all peers' },
    ])
    const [older] = await found({ own: 'host0', nodes, same: SAME })
    expect(older).toMatchObject({ peer: 'host1' })
    expect(older?.leadsTo).toBeUndefined()
  })

  it('name none to be deleted where their ages are not known', async () => {
    const [finding] = await found({ own: 'host1', same: SAME })
    expect(finding?.cure).toEqual([expect.stringContaining('--sort-by=.metadata.creationTimestamp')])
    expect(finding?.cure.join()).not.toMatch(/delete node host/)
  })

  it('are a risk where they are others', async () => {
    const same = 'Nodes a, b have the same podCIDR 10.10.0.0-24; b, the oldest, is a peer'
    const [finding] = await found({ own: 'host0', nodes: { a: YOUNG, b: OLD }, same })
    expect(finding).toMatchObject({ severity: 'risk', cure: [expect.stringMatching(/^kubectl delete node a,/)] })
  })
})

it('Nodes whose podCIDRs overlap are told with the younger one to be deleted, be it this one', async () => {
  const rejected = [
    {
      ...{ key: '10.14.0.0-15', subnet: '10.14.0.0/15', publicIp: '192.168.0.1', name: 'host0', code: 'own_subnet' },
      reason: 'subnet 10.14.0.0/15 overlaps our own 10.15.0.0/20',
    },
  ]
  const [finding, ...others] = await found({ own: 'host1', nodes: { host0: OLD, host1: YOUNG }, rejected })
  expect(others).toEqual([])
  expect(finding?.summary).toBe(
    'Nodes host1 and host0 have podCIDRs that overlap (10.15.0.0/20; 10.14.0.0/15): that of host0, the older one, counts',
  )
  expect(finding?.cure).toEqual([expect.stringMatching(/^kubectl delete node host1,/)])
})
