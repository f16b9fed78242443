import { describe, expect, it } from 'vitest'
import { nodesView, type NodeRow, type NodesInput } from '../../../src/admin/nodes.ts'
import { showNodes } from '../../../src/admin/show/leases.ts'
import { parseNetworkConfig } from '../../../src/config/network.ts'
import type { Annotations } from '../../../src/kube/nodes/node-store.ts'
import { recordOf } from '../../../src/kube/subnets/node-claims.ts'
import { plainly } from '../../../src/present/paint.ts'

const CONFIG = parseNetworkConfig('{"Network":"10.244.0.0/16"}')

type Published = NodesInput['nodes'][number]

const published = (number: number, more: Annotations = {}, podCidr = `10.244.${number}.0/24`): Published => {
  const name = `n${number}`
  const record = recordOf({
    ...{ name, uid: name, createdMs: 1_000 + number, resourceVersion: '1', podCidrs: [podCidr] },
    annotations: {
      ...{ 'kube-subnet-manager': 'true', 'backend-type': 'vxlan', 'public-ip': `192.168.205.${number}` },
      'backend-data': JSON.stringify({ VNI: 1, VtepMAC: `02:00:00:00:00:${String(number).padStart(2, '0')}` }),
      ...more,
    },
  })
  if (record === undefined) throw new TypeError('no record')
  return { name, record }
}

const rows = (nodes: readonly Published[], more: Partial<NodesInput> = {}): readonly NodeRow[] =>
  nodesView({ nodes, config: CONFIG, own: 'n1', ...more })

const problems = (nodes: readonly Published[], more?: Partial<NodesInput>): Record<string, readonly string[]> =>
  Object.fromEntries(rows(nodes, more).map(({ name, problems: all }) => [name, all]))

describe('Nodes that agents have published', () => {
  it('may have any podCIDR within Network, the first one and those of other lengths too', () => {
    const nodes = [published(9), published(1, {}, '10.244.128.0/25'), published(5, {}, '10.244.0.0/24')]
    const shown = rows(nodes)
    expect(shown.map(({ name, isOurs, problems: all }) => [name, isOurs, all])).toEqual([
      ['n5', false, []],
      ['n9', false, []],
      ['n1', true, []],
    ])
    expect(shown[2]).toMatchObject({ subnets: ['10.244.128.0/25'], publicIps: ['192.168.205.1'], backend: 'vxlan' })
    expect(problems([published(1, {}, '10.245.0.0/24')])).toEqual({
      n1: ['subnet 10.245.0.0/24 is outside Network 10.244.0.0/16'],
    })
  })

  it.each<[string, Annotations, RegExp]>([
    ['a VtepMAC that is none', { 'backend-data': '{"VNI":1,"VtepMAC":"zz"}' }, /VtepMAC/],
    ['what is no JSON', { 'backend-data': '{not json' }, /BackendData/],
    ['a multicast VtepMAC', { 'backend-data': '{"VNI":1,"VtepMAC":"01:00:5e:00:00:01"}' }, /unicast/],
    ['another VNI', { 'backend-data': '{"VNI":7,"VtepMAC":"02:00:00:00:00:02"}' }, /^its VNI is 7, ours 1$/],
    ['a PublicIP within the overlay', { 'public-ip': '10.244.9.9' }, /lies inside Network 10\.244\.0\.0\/16/],
    ['a PublicIP that is none', { 'public-ip': 'here' }, /PublicIP/],
  ])('are rejected for %s', (_, annotations, reason) => {
    const { n1, n2 } = problems([published(1), published(2, annotations)])
    expect(n1).toEqual([])
    expect(n2).toEqual([expect.stringMatching(reason)])
  })

  it('are told by name where they have the same podCIDR, or the same PublicIP', () => {
    const nodes = [published(2), published(39, {}, '10.244.2.0/24'), published(3, { 'public-ip': '192.168.205.39' })]
    expect(problems(nodes)).toEqual({
      n2: ['same podCIDR as n39 (younger)'],
      n3: ['has the PublicIP of n39'],
      n39: ['same podCIDR as n2 (older)', 'has the PublicIP of n3'],
    })
    expect(problems([published(2, {}, '10.244.0.0/16'), published(3)])).toMatchObject({
      n3: ['its podCIDR overlaps that of n2 (older)'],
    })
  })

  it('may be within Network where our own address is, and are not judged by a configuration that is not here', () => {
    const laidOver = [published(1, { 'public-ip': '10.244.99.1' }), published(2, { 'public-ip': '10.244.99.2' })]
    expect(problems(laidOver)).toEqual({ n1: [], n2: [] })
    expect(problems([published(1, {}, '10.9.0.0/24')], { config: undefined })).toEqual({ n1: [] })
  })

  it('are shown with what is wrong with each', () => {
    const looks = { paint: plainly, width: undefined }
    const text = showNodes(
      rows([published(1), published(2, { 'public-ip': '10.244.9.9' })]),
      [{ name: 'bare', why: 'no agent has published it yet' }],
      'the API server https://10.0.0.1:6443',
      looks,
    )
    expect(text).toContain('2 Nodes of the overlay, in the API server https://10.0.0.1:6443')
    expect(text).toMatch(/10\.244\.1\.0\/24 +n1 \(this host\) +192\.168\.205\.1 +vxlan/)
    expect(text).toMatch(/NODE +WHY\n *n2 +PublicIP 10\.244\.9\.9 lies inside Network/)
    expect(text).toContain('bare: no agent has published it yet')
  })
})
