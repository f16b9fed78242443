import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NameContest } from '../../../../src/kube/subnets/name-contest.ts'
import { FakeApiServer } from '../../../fake/kube/fake-api-server.ts'
import { KubeAgent, PREFIX, published, type OneAgent } from '../../../fake/kube/kube-world.ts'
import { waitFor } from '../../../lab/wait-for.ts'

const MAC = '02:00:00:00:00:01'
const OTHER_MAC = '02:00:00:00:00:aa'
const [HERE, THERE] = ['192.168.205.10', '192.168.205.99']

let api: FakeApiServer
const agents: KubeAgent[] = []

beforeEach(async () => {
  api = await new FakeApiServer().start()
})
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.close()
  await api.stop()
})

function agent(part: Partial<OneAgent> = {}): KubeAgent {
  const made = new KubeAgent(api, { nodeName: 'own', publicIp: HERE, mac: MAC, ...part })
  agents.push(made)
  return made
}

const publicIpOf = (name: string): string | undefined =>
  api.nodes.get(name)?.metadata.annotations?.[`${PREFIX}public-ip`]
const patches = (): number => api.requests.filter(({ verb }) => verb === 'patch').length

describe('two agents under one name', () => {
  it('each names the other, and leaves the Node alone for a minute', async () => {
    api.nodes.put('own', { podCIDRs: ['10.244.1.0/24'] })
    const [one, other] = [agent(), agent({ publicIp: THERE })]
    await one.hold()
    await other.hold()
    await waitFor('both to say so', () => one.complaint !== undefined && other.complaint !== undefined)
    expect(one.complaint).toMatch(
      /^two agents run under the name of Node own: its annotations say by turns PublicIP 192\.168\.205\.10 with VtepMAC 02:00:00:00:00:01, which is us, and PublicIP 192\.168\.205\.99 with VtepMAC .*Cure: NODE_NAME/,
    )
    expect(other.complaint).toContain('PublicIP 192.168.205.99 with VtepMAC 02:00:00:00:00:01, which is us, and')
    expect(one.conditions.all()).toMatchObject([{ what: 'lease', effect: 'degraded' }])
    const [written, seen] = [patches(), api.requests.length]
    for (let beats = 0; beats < 20; beats++) api.nodes.patch('own', {})
    await waitFor('a request of anybody', () => api.requests.length > seen || api.watches === 2)
    expect(patches()).toBe(written)
    expect(written).toBeLessThan(12)
  })

  it('the one whose Node it is not, as its kubelet says, gives way', async () => {
    api.nodes.put('own', { podCIDRs: ['10.244.1.0/24'], bootId: 'boot-here' })
    const [right, wrong] = [agent({ bootId: 'boot-here' }), agent({ publicIp: THERE, bootId: 'boot-there' })]
    await right.hold()
    const { warnings } = await wrong.acquire()
    expect(warnings).toContainEqual(expect.stringContaining('Node own is of another host, at 192.168.205.10'))
    await wrong.hold()
    await waitFor('it to give way', () => wrong.complaint?.includes('so we are to have another name'))
    await waitFor('the right one to say so', () =>
      right.complaint?.includes('so the other one is to have another name'),
    )
    await waitFor('the right address', () => publicIpOf('own') === HERE)
  })
})

describe('somebody who changes our Node', () => {
  const node = {
    ...{ name: 'own', uid: 'u', createdMs: 1, resourceVersion: '1', podCidrs: ['10.244.1.0/24'] },
    annotations: {
      ...{ 'kube-subnet-manager': 'true', 'backend-type': 'vxlan', 'public-ip': HERE },
      'backend-data': `{"VNI":1,"VtepMAC":"${MAC}"}`,
    },
  } as const
  const elsewhere = { ...node, annotations: { ...node.annotations, 'public-ip': THERE } }
  let nowMs = 0
  const contest = (bootId?: string): NameContest => {
    nowMs = 1_000_000
    const clock = { monotonicMs: () => nowMs, sleep: () => Promise.resolve() }
    return new NameContest({ clock, random: () => 0, bootId })
  }
  const wanted = node.annotations

  it('is another agent from the third time on, within a quarter of an hour', () => {
    const heard = contest()
    const changes = (times: number): readonly boolean[] =>
      Array.from({ length: times }, () => heard.changed(elsewhere, wanted))
    expect(changes(2)).toEqual([false, false])
    nowMs += 900_000
    expect(changes(3)).toEqual([false, false, true])
    expect(heard.notBeforeMs).toBe(nowMs)
    expect(changes(1)).toEqual([true])
    expect(heard.notBeforeMs).toBe(nowMs + 60_000)
  })

  it('is none where nothing says that packets are to go elsewhere', () => {
    const heard = contest()
    const without = { 'kube-subnet-manager': 'true', 'backend-type': 'vxlan' }
    for (let times = 0; times < 5; times++) {
      expect(heard.changed({ ...node, annotations: without }, wanted)).toBe(false)
      expect(heard.changed({ ...node, annotations: { ...node.annotations, 'backend-type': 'udp' } }, wanted)).toBe(
        false,
      )
    }
    expect(heard.calmInMs()).toBe(0)
  })

  it('is forgotten once what we have written has stood for three minutes', () => {
    const heard = contest()
    for (let times = 0; times < 4; times++) heard.changed(elsewhere, wanted)
    nowMs += 60_000
    expect(heard.calmInMs()).toBe(180_000)
    nowMs += 180_000
    expect(heard.calmInMs()).toBe(0)
    expect(heard.notBeforeMs).toBe(Number.NEGATIVE_INFINITY)
  })

  it('is asked about before we write, for as long as the Node is of another host', () => {
    const heard = contest('here')
    const read = { ...node, isNetworkAvailable: true }
    heard.read({ ...read, bootId: 'there' })
    for (let times = 0; times < 3; times++) heard.changed(elsewhere, wanted)
    expect([heard.isTheirs, heard.notBeforeMs]).toEqual([true, nowMs + 600_000])
    nowMs += 600_000
    expect(heard.givesWay(undefined)).toBe(true)
    expect(heard.notBeforeMs).toBe(nowMs + 600_000)
    expect(heard.givesWay({ ...read, bootId: 'here' })).toBe(false)
    expect(heard.isTheirs).toBe(false)
  })
})

describe('two Nodes with one VtepMAC', () => {
  const older = { podCIDRs: ['10.244.2.0/24'], annotations: published('192.168.205.20', MAC), createdMs: 1_000 }

  it('the younger takes another, says so, and keeps it', async () => {
    api.nodes.put('former', older)
    api.nodes.put('own', { podCIDRs: ['10.244.1.0/24'], annotations: published(HERE, MAC), createdMs: 2_000 })
    const { lease, warnings } = await agent({ otherMac: OTHER_MAC }).acquire()
    expect(lease.families[0]?.backendData).toMatchObject({ VtepMAC: OTHER_MAC })
    expect(warnings).toEqual([expect.stringMatching(/^Node former, which is older, publishes VtepMAC 02:.*01 as well/)])
    const again = await agent({ otherMac: OTHER_MAC }).acquire()
    expect([again.how, again.warnings]).toEqual(['kept', []])
  })

  it('the older keeps it', async () => {
    api.nodes.put('younger', { ...older, createdMs: 3_000 })
    api.nodes.put('own', { podCIDRs: ['10.244.1.0/24'], createdMs: 2_000 })
    const { lease, warnings } = await agent({ otherMac: OTHER_MAC }).acquire()
    expect(lease.families[0]?.backendData).toMatchObject({ VtepMAC: MAC })
    expect(warnings).toEqual([])
  })

  it('of one age, the subnets decide, as all others do', async () => {
    api.nodes.put('twin', { ...older, createdMs: 2_000 })
    api.nodes.put('own', { podCIDRs: ['10.244.1.0/24'], createdMs: 2_000 })
    const { lease } = await agent({ otherMac: OTHER_MAC }).acquire()
    expect(lease.families[0]?.backendData).toMatchObject({ VtepMAC: MAC })
  })
})
