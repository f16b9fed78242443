import { describe, expect, it } from 'vitest'
import { diagnose } from '../../../../src/doctor/diagnosis.ts'
import type { Finding } from '../../../../src/doctor/finding.ts'
import type { KubeReads, NodeSeen } from '../../../../src/doctor/kube-facts.ts'
import { nodeNames } from '../../../../src/doctor/kube/node-name.ts'
import { condition, fakeView } from '../../../fake/fake-view.ts'
import { sampleStatus } from '../../../fake/status-samples.ts'
import { finding } from '../samples.ts'

interface Cluster {
  /** Under which the agent runs. */
  readonly name: string
  readonly hostname?: string
  readonly nodes?: Readonly<Record<string, NodeSeen>>
  /** What the agent says of its lease. */
  readonly lease?: string
}

/** By this agent, and where none runs, by its flags. */
async function found(
  { name, hostname = 'host1', nodes = {}, lease }: Cluster,
  isRunning = true,
): Promise<readonly Finding[]> {
  const base = sampleStatus([])
  const conditions = lease === undefined ? [] : [condition('lease', { reason: lease })]
  const agent = { ...base, node: { ...base.node, id: name }, conditions }
  const kube: KubeReads = {
    ...{
      netConfigPath: '/net-conf.json',
      server: 'server:',
      from: 'here',
      ask: () => Promise.reject(new TypeError('not asked')),
    },
    askBriefly: () =>
      Promise.resolve({
        ...{ refused: undefined, reading: undefined, missingRights: [], node: undefined, nodeName: name },
        ...{ configuration: undefined, invalid: undefined },
      }),
    nodes: (names) => Promise.resolve(new Map(Object.entries(nodes).filter(([one]) => names.includes(one)))),
  }
  const files = { '/proc/sys/kernel/hostname': hostname, '/proc/sys/kernel/random/boot_id': 'boot-1' }
  const { view } = fakeView({ files, ...(isRunning ? { agent } : {}) })
  return nodeNames.look({ ...view, kube }, new AbortController().signal)
}

describe('the name of an agent', () => {
  const exchanged = { host0: { bootId: 'boot-0' }, host1: { bootId: 'boot-1' } }

  it.each([true, false])(
    'is that of another host, where the kubelet of this one has another (agent runs: %s)',
    async (isRunning) => {
      const [one, ...others] = await found({ name: 'host0', nodes: exchanged }, isRunning)
      expect(others).toEqual([])
      expect(one).toMatchObject({ cause: 'node-name-wrong', severity: 'broken', covers: 'all peers' })
      expect(one?.cure[0]).toContain('NODE_NAME=host1')
      expect(one?.evidence.join()).toContain('bootID is boot-1')
    },
  )

  it('is, where no kubelet says on which boot it runs, by the name of the host, in small letters', async () => {
    const [one] = await found({ name: 'host0', hostname: 'Host1', nodes: { host0: {}, host1: {} } })
    expect(one?.cause).toBe('node-name-wrong')
    expect(one?.evidence.join()).not.toContain('bootID')
  })

  it.each<[string, Cluster]>([
    ['it is that of the host', { name: 'host1', nodes: exchanged }],
    ['no Node has the name of the host', { name: 'host0.example', nodes: { 'host0.example': {} } }],
    ['its kubelet runs here', { name: 'n1', nodes: { n1: { bootId: 'boot-1' }, host1: {} } }],
    ['another machine has the name of this host', { name: 'n1', nodes: { n1: {}, host1: { bootId: 'boot-7' } } }],
    ['the API server does not tell', { name: 'host0' }],
  ])('is right where %s', async (_, cluster) => {
    expect(await found(cluster)).toEqual([])
  })

  it('is told instead of what it leads to, whose cures would take away what is right', async () => {
    const follow = ['bridge-on-other-subnet', 'foreign-route-wins', 'duplicate-public-ip', 'node-missing'].map(
      (cause) => finding({ cause }),
    )
    const told = diagnose([...follow, ...(await found({ name: 'host0', nodes: exchanged }))], [])
    expect(told.map(({ cause }) => cause)).toEqual(['node-name-wrong'])
    expect(told[0]?.cure.join()).not.toMatch(/kubectl delete|route del|--bip/)
  })
})

describe('two agents under one name', () => {
  const said = (verdict: string): string =>
    `two agents run under the name of Node host0: its annotations say by turns PublicIP 10.0.0.1 with VtepMAC 02:00:00:00:00:01, which is us, and PublicIP 10.0.0.2; ${verdict}. ` +
    'Cure: NODE_NAME of each agent is to be the Node of its own host (fieldRef: spec.nodeName); correct it where that is not so'

  it.each([
    ['restoring them once a minute', ['on the host with PublicIP 10.0.0.2', 'here: ']],
    [
      'that Node is of this host, as its kubelet says, and so the other one is to have another name: restoring them',
      ['on the host with'],
    ],
    [
      'that Node is of another host, as its kubelet says, and so we are to have another name: leaving them to it',
      ['here: NODE_NAME'],
    ],
  ])('are corrected where the wrong name is: %s', async (verdict, begin) => {
    const lease = said(verdict)
    const [one, ...others] = await found({ name: 'host0', hostname: 'host0', lease })
    expect(others).toEqual([])
    expect(one).toMatchObject({ cause: 'node-name-shared', covers: 'all peers' })
    expect(one?.cure).toEqual(
      [...begin, 'where that is done'].map((words) => expect.stringContaining(words) as unknown),
    )
    expect(one?.cure.join()).not.toContain('etcd')
    const silence = finding({ cause: 'udp-port-dropped-there', peer: 'b', isInferred: true })
    const told = diagnose(
      [silence, finding({ cause: 'duplicate-public-ip' }), ...(one ? [one] : [])],
      [condition('lease', { reason: lease })],
    )
    expect(told).toEqual([one])
  })
})
