import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../../src/config/error.ts'
import type { KubeFacts } from '../../../../src/doctor/kube-facts.ts'
import type { Finding } from '../../../../src/doctor/finding.ts'
import { KUBE_CHECKS } from '../../../../src/doctor/kube/checks.ts'
import { kubeReads, type AskedNodes } from '../../../../src/doctor/read/kube.ts'
import type { StatusDocument } from '../../../../src/status/document.ts'
import { StoreError, type StoreErrorCode } from '../../../../src/lease/store.ts'
import { condition, fakeView, fault } from '../../../fake/fake-view.ts'
import { samplePeer, sampleStatus } from '../../../fake/status-samples.ts'

const { signal } = new AbortController()
const CONFIG = '{"Network":"10.244.0.0/16"}'
const URL = 'https://10.0.0.1:6443'
const healthy = sampleStatus([samplePeer(1)])

interface Cluster {
  readonly agent?: StatusDocument
  readonly nodes?: readonly { readonly name: string; readonly podCidrs: readonly string[] }[] | Error
  readonly configuration?: string | undefined
  readonly nodeName?: string | undefined
  readonly missingRights?: KubeFacts['missingRights'] | Error
  /** It is reached, and says nothing. */
  readonly isFrozen?: boolean
}

async function found(cluster: Cluster): Promise<readonly Finding[]> {
  const { nodes = [{ name: 'n1', podCidrs: ['10.244.1.0/24'] }] } = cluster
  const store: AskedNodes = {
    url: URL,
    read: async (name, stop) => {
      if (cluster.isFrozen) await stopped(stop)
      if (nodes instanceof Error) throw nodes
      return nodes.find((node) => node.name === name)
    },
    list: () => (nodes instanceof Error ? Promise.reject(nodes) : Promise.resolve({ nodes })),
    missingRights: () => {
      const { missingRights = [] } = cluster
      return missingRights instanceof Error ? Promise.reject(missingRights) : Promise.resolve(missingRights)
    },
    nodeOfPod: () => Promise.resolve('n1'),
  }
  const kube = kubeReads({
    access: {
      ...{ annotationPrefix: 'flannel.alpha.coreos.com/', netConfigPath: '/net-conf.json', setsNetworkAvailable: true },
      kubeconfigFile: '/etc/flannel/kubeconfig',
      ...('nodeName' in cluster ? { pod: { name: 'p', namespace: 's' } } : { nodeName: 'n1' }),
    },
    from: 'the flanneld that runs here',
    withNodes: (body) => (nodes instanceof ConfigError ? Promise.reject(nodes) : body(store)),
    readConfiguration: () => Promise.resolve('configuration' in cluster ? cluster.configuration : CONFIG),
    signal,
  })
  const { view } = fakeView(cluster.agent === undefined ? {} : { agent: cluster.agent })
  return (await Promise.all(KUBE_CHECKS.map((check) => check.look({ ...view, kube }, signal)))).flat()
}

/** Rejects as a store does when its caller has stopped it. */
const stopped = (stop: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const message = 'our Node: stopped'
    stop.addEventListener('abort', () => {
      reject(new StoreError({ op: 'our Node', code: 'ABORTED_BY_CALLER', retryable: false, message }))
    })
  })

const refusal = (code: StoreErrorCode, root: string, words = ''): StoreError =>
  new StoreError({
    ...{ op: 'list of Nodes', code, root, retryable: true, url: URL },
    message: `list of Nodes at ${URL}: HTTP ${root}${words}`,
  })

describe('what doctor finds of an API server', () => {
  it('is nothing where all is well, by the name of the Node or of the pod', async () => {
    expect(await found({})).toEqual([])
    expect(await found({ nodeName: undefined })).toEqual([])
    expect(await found({ agent: healthy })).toEqual([])
  })

  it.each([
    ['nobody', undefined],
    ['an agent that has not noticed', healthy],
  ] as const)('is that it answers nothing, beside %s', async (_, agent) => {
    const [finding, ...others] = await found({ isFrozen: true, ...(agent && { agent }) })
    expect(others).toEqual([])
    expect(finding).toMatchObject({ cause: 'apiserver-unreachable', severity: 'broken' })
    expect(finding?.evidence[0]).toBe(`the API server, asked just now: our Node at ${URL}: no answer within 2 s`)
  })

  it('is a right that is missing, beside an agent that has not noticed', async () => {
    const missingRights = [{ verb: 'patch', resource: 'nodes/status' }]
    expect(await found({ agent: healthy, missingRights })).toMatchObject([
      {
        cause: 'apiserver-role',
        summary: 'the API server does not let us do what an agent does: patch nodes/status',
        evidence: ['kubectl auth can-i patch nodes --subresource=status, as we: no', expect.anything()],
      },
    ])
    expect(await found({ missingRights: refusal('PERMISSION_DENIED', '403') })).toEqual([])
  })

  it('is a URL without TLS', async () => {
    const url = 'http://10.0.0.1:6443'
    const message = `list of Nodes at ${url}: read ECONNRESET`
    const nodes = new StoreError({ op: 'list', code: 'UNAVAILABLE', root: 'ECONNRESET', retryable: true, message, url })
    const [finding] = await found({ nodes })
    expect(finding).toMatchObject({ cause: 'apiserver-unreachable' })
    expect(finding?.cure[0]).toMatch(/^https:\/\/ in the place of http:\/\/, in server: .*\/etc\/flannel\/kubeconfig/)
  })

  it('is a file that is not there, by its name', async () => {
    const message = 'waiting for /etc/flannel/ca.crt, which cannot be read (ENOENT)'
    const nodes = new StoreError({
      op: 'connect',
      code: 'UNAVAILABLE',
      root: 'ENOENT',
      retryable: true,
      message,
      url: '',
    })
    const [finding] = await found({ nodes })
    expect(finding).toMatchObject({
      cause: 'kubeconfig-unusable',
      summary: 'the API server is not asked: /etc/flannel/ca.crt cannot be read',
    })
    expect(finding?.cure[0]).toContain('ls -l /etc/flannel/ca.crt')
    const [ofServed] = await found({ nodes, agent: { ...healthy, store: { ...healthy.store, isUp: true } } })
    expect(ofServed).toMatchObject({
      severity: 'risk',
      summary: expect.stringMatching(/^\/etc\/flannel\/ca.crt cannot be read: .* old credentials/) as unknown,
    })
  })

  it.each<[string, StoreError, string]>([
    ['apiserver-unreachable', refusal('UNAVAILABLE', 'ECONNREFUSED'), 'readyz'],
    [
      'apiserver-unreachable',
      refusal('DEADLINE_EXCEEDED', ''),
      `in /etc/flannel/kubeconfig (--kubeconfig-file) is to be ${URL}`,
    ],
    ['apiserver-certificate', refusal('UNAVAILABLE', 'CERT_HAS_EXPIRED'), 'clock'],
    ['apiserver-certificate', refusal('UNAVAILABLE', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'ca.crt'],
    ['apiserver-token', refusal('UNAUTHENTICATED', '401'), 'kubectl -n kube-flannel create token flannel '],
    ['apiserver-role', refusal('PERMISSION_DENIED', '403', '. Cure: the ClusterRole needs verb list'), 'verb list'],
    ['apiserver-busy', refusal('RESOURCE_EXHAUSTED', '429'), 'readyz'],
    ['apiserver-busy', refusal('UNAVAILABLE', '503'), 'readyz'],
  ])('is %s', async (cause, error, cure) => {
    const [finding, ...others] = await found({ nodes: error })
    expect(others).toEqual([])
    expect(finding?.cause).toBe(cause)
    expect(finding?.summary).toContain(URL)
    expect(finding?.evidence.join()).not.toContain('Cure')
    expect(finding?.cure.join('\n')).toContain(cure)
  })

  it('is told once with what the agent fails with, and explains that', async () => {
    const denied = fault({ code: 'PERMISSION_DENIED', root: '403', url: URL })
    const conditions = [condition('Kubernetes API', { fault: denied }), condition('lease', { fault: denied })]
    const agent = { ...healthy, lease: null, conditions }
    expect(await found({ agent, nodes: refusal('PERMISSION_DENIED', '403') })).toMatchObject([
      {
        cause: 'apiserver-role',
        explains: expect.arrayContaining(['Kubernetes API', 'lease', 'forwarding*']) as unknown,
      },
    ])
    expect(await found({ agent })).toMatchObject([{ cause: 'apiserver-role' }])
  })

  it('is a kubeconfig that cannot be followed', async () => {
    const nodes = new ConfigError('--kubeconfig-file', 'no exec plugin', 'aws')
    expect(await found({ nodes })).toMatchObject([{ cause: 'kubeconfig-unusable' }])
  })
})

describe('what doctor finds of our Node, and of the configuration', () => {
  it.each<[string, Cluster, string]>([
    ['node-missing', { nodes: [{ name: 'other', podCidrs: [] }] }, 'NODE_NAME'],
    ['podcidr-missing', { nodes: [{ name: 'n1', podCidrs: [] }] }, '--cluster-cidr=10.244.0.0/16'],
    ['podcidr-missing', { nodes: [{ name: 'n1', podCidrs: ['10.244.9.0/32'] }] }, '--node-cidr-mask-size-ipv4'],
    ['podcidr-outside-network', { nodes: [{ name: 'n1', podCidrs: ['10.1.0.0/24'] }] }, 'kubectl edit configmap'],
    ['configuration-missing', { configuration: undefined }, 'ConfigMap'],
    ['configuration-invalid', { configuration: '{"Network":"x"}' }, 'flanneld config validate'],
  ])('is %s', async (cause, cluster, cure) => {
    const all = await found(cluster)
    expect(all.map((finding) => finding.cause)).toEqual([cause])
    expect(all[0]?.cure.join('\n')).toContain(cure)
  })

  it('explains that peers do not answer, where they do not know of our Node', async () => {
    const conditions = [condition('lease', { fault: fault({ code: 'PERMISSION_DENIED', root: '403', url: URL }) })]
    const unpublished = { covers: 'all peers' }
    for (const agent of [undefined, healthy]) {
      const given = agent && { agent }
      expect(await found({ nodes: [], ...given })).toMatchObject([unpublished])
      expect(await found({ nodes: [{ name: 'n1', podCidrs: [] }], ...given })).toMatchObject([unpublished])
    }
    expect(await found({ agent: { ...healthy, conditions } })).toMatchObject([unpublished])
    const [outside] = await found({ agent: healthy, nodes: [{ name: 'n1', podCidrs: ['10.1.0.0/24'] }] })
    expect(outside?.covers).toBeUndefined()
    const down = { ...healthy, conditions: [condition('Kubernetes API', { fault: fault({ code: 'UNAVAILABLE' }) })] }
    const [unreached] = await found({ agent: down })
    expect(unreached).toMatchObject({ cause: 'apiserver-unreachable' })
    expect(unreached?.covers).toBeUndefined()
  })

  it('is a Node that is gone, which its kubelet makes again when it starts', async () => {
    const [finding] = await found({ nodes: [], agent: healthy })
    expect(finding).toMatchObject({ cause: 'node-missing' })
    expect(finding?.cure).toEqual([expect.stringMatching(/^systemctl restart kubelet/)])
    const [atStart] = await found({ nodes: [] })
    expect(atStart?.cure.join('\n')).toMatch(/NODE_NAME[^]*systemctl restart kubelet/)
  })

  it('is a family without a podCIDR', async () => {
    const configuration = '{"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:244::/48"}'
    expect(await found({ configuration })).toMatchObject([
      { cause: 'podcidr-missing', summary: 'Node n1 was given no podCIDR of IPv6' },
    ])
  })
})
