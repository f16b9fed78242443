import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import type { AcquiredSubnet, HeldSubnet, PeerChanges, PeerList } from '../../../../src/agent/runtime/subnet-manager.ts'
import { runTogether } from '../../../../src/agent/runtime/task.ts'
import { ConfigError } from '../../../../src/config/error.ts'
import { parseNetworkConfig } from '../../../../src/config/network.ts'
import { AgentCounts } from '../../../../src/counts/agent-counts.ts'
import { systemClock } from '../../../../src/host/system-clock.ts'
import { openKube } from '../../../../src/kube/open-kube.ts'
import type { KubeNodeStore } from '../../../../src/kube/kube-node-store.ts'
import { KubeSubnetManager } from '../../../../src/kube/subnets/kube-subnet-manager.ts'
import { decodeLease } from '../../../../src/lease/codec.ts'
import { OtherAddressError } from '../../../../src/lease/errors.ts'
import type { Lease } from '../../../../src/lease/lease.ts'
import type { LeaseTerms } from '../../../../src/lease/terms.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import type { Family } from '../../../../src/net/ip.ts'
import { FakeApiServer } from '../../../fake/kube/fake-api-server.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'
import { NODE } from '../../../fake/samples.ts'
import { waitFor } from '../../../lab/wait-for.ts'

const PREFIX = 'flannel.alpha.coreos.com/'
const MAC = '02:00:00:00:00:01'
const OTHER_MAC = '02:00:00:00:00:aa'

const named = (annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(annotations).map(([name, value]) => [PREFIX + name, value]))

/** As upstream's agents write them. */
const published = (publicIp: string, mac: string): Readonly<Record<string, string>> =>
  named({
    'kube-subnet-manager': 'true',
    'backend-type': 'vxlan',
    'backend-data': `{"VNI":1,"VtepMAC":"${mac}"}`,
    'public-ip': publicIp,
  })

const macOf = (lease: Lease | undefined, family: Family): string => {
  const data: unknown = lease?.families.find((part) => part.family === family)?.backendData
  return typeof data === 'object' && data !== null && 'VtepMAC' in data ? String(data.VtepMAC) : ''
}

const TERMS: LeaseTerms = {
  node: NODE,
  instance: 'm',
  overlays: parseNetworkConfig('{"Network":"10.244.0.0/16"}', 'test').overlays,
  publicIps: new Map([
    [4, ip('192.168.205.10')],
    [6, ip('fd00:205::10')],
  ]),
  backendType: 'vxlan',
  backendData: (family, current) => ({ VNI: 1, VtepMAC: macOf(current, family) || MAC }),
  previousSubnets: [],
  hintedSubnets: [],
  traceOf: () => undefined,
  avoid: [prefix('192.168.205.0/24')],
  ttlSeconds: 86_400,
}

const DUAL = parseNetworkConfig(
  '{"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:244::/48"}',
  'test',
).overlays

let api: FakeApiServer
let store: KubeNodeStore
let manager: KubeSubnetManager
let conditions: Conditions
let log: RecordingLog
let stop: AbortController
let running: Promise<void>
let lists: PeerList[]
let changes: PeerChanges[]
let isForwarding: boolean

beforeEach(async () => {
  api = await new FakeApiServer().start()
  stop = new AbortController()
  log = recordingLog()
  conditions = new Conditions({ clock: systemClock, log })
  ;[lists, changes, running, isForwarding] = [[], [], Promise.resolve(), false]
  begin({})
  api.nodes.put('own', { podCIDRs: ['10.244.1.0/24'] })
  api.nodes.put('peer', { podCIDRs: ['10.244.2.0/24'], annotations: published('192.168.205.20', OTHER_MAC) })
})

afterEach(async () => {
  stop.abort()
  await running
  store.close()
  await api.stop()
})

function begin(access: { readonly nodeName?: undefined; readonly setsNetworkAvailable?: boolean }): void {
  const given = { nodeName: 'own', setsNetworkAvailable: false, ...access }
  const kube = { apiUrl: api.url, annotationPrefix: PREFIX, netConfigPath: '/nowhere', ...given }
  store = openKube(kube, { clock: systemClock, random: () => 0, environment: {} })
  manager = new KubeSubnetManager(
    { ...kube, pod: { namespace: 'kube-flannel', name: 'agent-1' } },
    {
      ...{ store, clock: systemClock, random: () => 0, log, conditions, counts: new AgentCounts() },
      configuration: {
        name: 'net-conf.json',
        read: () => Promise.resolve(undefined),
        watch: async function* () {},
        missing: () => new ConfigError('net-conf.json', 'a file', undefined),
        check: () => undefined,
      },
      resolveHost: () => Promise.resolve([]),
      wallMs: Date.now,
    },
  )
}

const annotationsOf = (name: string): Readonly<Record<string, string>> =>
  api.nodes.get(name)?.metadata.annotations ?? {}

const keysOf = (acquired: AcquiredSubnet): readonly string[] => acquired.takePeers().map(({ key }) => key)

async function hold(terms = TERMS): Promise<HeldSubnet> {
  const acquired = await manager.acquire(terms, stop.signal)
  const peers = {
    onList: (list: PeerList): undefined => void lists.push(list),
    onChanges: (change: PeerChanges): void => void changes.push(change),
  }
  const held = acquired.hold({ terms, peers, isForwarding: () => isForwarding })
  running = runTogether(held.tasks, runtime(systemClock, stop.signal))
  await waitFor('a watch', () => api.watches === 1)
  return held
}

const toldOf = (key: string): 'put' | 'deleted' | undefined =>
  changes
    .flatMap(({ deltas }) => deltas)
    .filter((delta) => (delta.kind === 'put' ? delta.record.key : delta.key) === key)
    .at(-1)?.kind

const patches = (): number => api.requests.filter(({ verb }) => verb === 'patch').length

describe('acquiring', () => {
  it('takes the podCIDR of our Node, publishes what upstream publishes, and lists the others', async () => {
    api.nodes.put('silent', { podCIDRs: ['10.244.3.0/24'] })
    const acquired = await manager.acquire(TERMS, stop.signal)
    expect(acquired.lease).toMatchObject({ key: '10.244.1.0-24', backendType: 'vxlan' })
    expect(acquired).toMatchObject({ how: 'updated', node: { id: 'own' }, peerCount: 1, warnings: [] })
    expect(annotationsOf('own')).toEqual(published('192.168.205.10', MAC))
    const [peer] = acquired.takePeers()
    if (peer === undefined) throw new Error('no peer')
    expect(decodeLease(peer)).toMatchObject({
      key: '10.244.2.0-24',
      node: { hostname: 'peer' },
      families: [{ publicIp: ip('192.168.205.20'), backendData: { VNI: 1, VtepMAC: OTHER_MAC } }],
    })
  })

  it('writes nothing where the annotations say it all, and keeps the VtepMAC that stands there', async () => {
    api.nodes.put('own', { podCIDRs: ['10.244.1.0/24'], annotations: published('192.168.205.10', OTHER_MAC) })
    const acquired = await manager.acquire(TERMS, stop.signal)
    expect(acquired.how).toBe('kept')
    expect(macOf(acquired.lease, 4)).toBe(OTHER_MAC)
    expect(patches()).toBe(0)
  })

  it('keeps what is not ours among the annotations, and takes away what we do not say any more', async () => {
    const others = { 'node.alpha/ttl': '0', ...named({ 'public-ipv6': 'fd00:205::99', 'backend-v6-data': 'null' }) }
    api.nodes.put('own', { podCIDRs: ['10.244.1.0/24'], annotations: others })
    await manager.acquire(TERMS, stop.signal)
    expect(annotationsOf('own')).toEqual({ 'node.alpha/ttl': '0', ...published('192.168.205.10', MAC) })
  })

  it('has one subnet a family, whatever their order', async () => {
    api.nodes.put('own', { podCIDRs: ['fd00:244:0:1::/64', '10.244.1.0/24'] })
    const { lease } = await manager.acquire({ ...TERMS, overlays: DUAL }, stop.signal)
    expect(lease.key).toBe('10.244.1.0-24&fd00:244:0:1::-64')
    expect(annotationsOf('own')).toMatchObject(
      named({ 'public-ipv6': 'fd00:205::10', 'backend-v6-data': `{"VNI":1,"VtepMAC":"${MAC}"}` }),
    )
  })

  it('serves IPv6 alone', async () => {
    api.nodes.put('own', { podCIDRs: ['fd00:244:0:1::/64'] })
    api.nodes.put('six', {
      podCIDRs: ['fd00:244:0:2::/64'],
      annotations: named({
        ...{ 'kube-subnet-manager': 'true', 'backend-type': 'vxlan', 'public-ipv6': 'fd00:205::20' },
        'backend-v6-data': `{"VNI":1,"VtepMAC":"${OTHER_MAC}"}`,
      }),
    })
    const acquired = await manager.acquire({ ...TERMS, overlays: DUAL.slice(1) }, stop.signal)
    expect(acquired.lease.families).toMatchObject([{ family: 6, publicIp: ip('fd00:205::10') }])
    expect(keysOf(acquired)).toContain('fd00:244:0:2::-64')
  })

  it.each([
    ['no Node', [], undefined, /Node own does not exist/],
    ['no podCIDR', [], {}, /podCIDR of Node own: expected an IPv4 subnet.*--allocate-node-cidrs.*found nothing/],
    ['none of our family', ['fd00:244:0:1::/64'], {}, /expected an IPv4 subnet.*found "fd00:244:0:1::\/64"/],
    ['one outside Network', ['10.9.0.0/24'], {}, /a subnet of Network 10.244.0.0\/16.*found "10.9.0.0\/24"/],
    ['one without room for pods', ['10.244.1.1/32'], {}, /a subnet of \/30 or larger.*found "10.244.1.1\/32"/],
    ['rubbish', ['rubbish'], {}, /expected an IPv4 subnet.*found "rubbish"/],
  ])('waits while there is %s, and says so', async (_, podCIDRs, there, message) => {
    api.nodes.delete('own')
    if (there !== undefined) api.nodes.put('own', { podCIDRs })
    await expect(manager.acquire(TERMS, stop.signal)).rejects.toThrow(message)
    expect(patches()).toBe(0)
  })

  it('refuses a podCIDR over the underlay', async () => {
    api.nodes.put('own', { podCIDRs: ['10.244.0.0/20'] })
    const around = { ...TERMS, avoid: [prefix('10.244.7.0/24')] }
    await expect(manager.acquire(around, stop.signal)).rejects.toThrow('beside 10.244.7.0/24, which the underlay needs')
  })

  it('offers the address that stands there, where ours is open', async () => {
    api.nodes.put('own', { podCIDRs: ['10.244.1.0/24'], annotations: published('192.168.205.11', MAC) })
    await expect(manager.acquire({ ...TERMS, isAddressOpen: true }, stop.signal)).rejects.toThrow(OtherAddressError)
    const { warnings } = await manager.acquire(TERMS, stop.signal)
    expect(warnings).toEqual(['our PublicIP is 192.168.205.10 now, and was 192.168.205.11 before'])
  })

  it('asks for the address of this host that node-public-ip says, where ours is open, before the one that stands there', async () => {
    const chosen = { ...published('192.168.205.11', MAC), ...named({ 'node-public-ip': '192.168.205.12' }) }
    api.nodes.put('own', { podCIDRs: ['10.244.1.0/24'], annotations: chosen })
    const asked = manager.acquire({ ...TERMS, isAddressOpen: true }, stop.signal)
    await expect(asked).rejects.toMatchObject({ publicIps: new Map([[4, ip('192.168.205.12')]]) })
    const here = { ...TERMS, isAddressOpen: true as const, publicIps: new Map([[4 as const, ip('192.168.205.12')]]) }
    const { lease } = await manager.acquire(here, stop.signal)
    expect(lease.families.map(({ publicIp }) => publicIp.text)).toEqual(['192.168.205.12'])
  })

  it('publishes what public-ip-overwrite says, and nothing that is no address', async () => {
    const overwritten = named({ 'public-ip-overwrite': '203.0.113.7', 'public-ipv6-overwrite': 'rubbish' })
    api.nodes.put('own', { podCIDRs: ['10.244.1.0/24', 'fd00:244:0:1::/64'], annotations: overwritten })
    const terms = { ...TERMS, overlays: DUAL, isAddressOpen: true } as const
    const acquired = await manager.acquire(terms, stop.signal)
    expect(acquired.lease.families.map(({ publicIp }) => publicIp.text)).toEqual(['203.0.113.7', 'fd00:205::10'])
    acquired.hold({ terms, peers: { onList: () => undefined, onChanges: () => undefined }, isForwarding: () => false })
    expect(conditions.all()).toMatchObject([
      {
        what: 'overwrites of our addresses',
        effect: 'degraded',
        reason: expect.stringMatching(
          /public-ipv6-overwrite of Node own is not an IPv6 address.*: rubbish; .*Cure: kubectl annotate node own/,
        ) as unknown,
      },
    ])
  })

  it('finds our Node by our pod', async () => {
    store.close()
    begin({ nodeName: undefined })
    await expect(manager.acquire(TERMS, stop.signal)).rejects.toThrow('pod kube-flannel/agent-1')
    api.pods.set('kube-flannel/agent-1', 'own')
    await expect(manager.acquire(TERMS, stop.signal)).resolves.toMatchObject({ node: { id: 'own' } })
  })

  it('hands rubbish of peers on, each to be rejected for itself, and shows one of several with the same podCIDR', async () => {
    const rubbish = named({
      'kube-subnet-manager': 'true',
      'backend-type': 'vxlan',
      'backend-data': '{',
      'public-ip': '',
    })
    api.nodes.put('rubbish', { podCIDRs: ['10.244.3.0/24'], annotations: rubbish })
    const twice = { podCIDRs: ['10.244.2.0/24'], createdMs: 1_000 }
    api.nodes.put('elder', { ...twice, annotations: published('192.168.205.21', '02:00:00:00:00:bb') })
    const acquired = await manager.acquire(TERMS, stop.signal)
    const records = acquired.takePeers()
    expect(records.map(({ key }) => key).sort()).toEqual(['10.244.2.0-24', '10.244.3.0-24'])
    expect(records.find(({ key }) => key === '10.244.2.0-24')?.value).toContain('"elder"')
    const judged = records.map((record) => decodeLease(record))
    expect(judged.filter((one) => 'rejected' in one)).toHaveLength(1)
  })
})

describe('holding', () => {
  it('tells of peers that come, change and go, and not of heartbeats', async () => {
    await hold()
    api.nodes.put('new', { podCIDRs: ['10.244.3.0/24'] })
    api.nodes.patch('new', { metadata: { annotations: published('192.168.205.30', '02:00:00:00:00:30') } })
    await waitFor('the peer', () => toldOf('10.244.3.0-24') === 'put')
    const told = changes.length
    for (let beats = 0; beats < 5; beats++)
      for (const name of ['own', 'peer', 'new'])
        api.nodes.patch(name, { status: { conditions: [{ type: 'Ready', status: 'True' }] } })
    api.nodes.delete('peer')
    await waitFor('its end', () => toldOf('10.244.2.0-24') === 'deleted')
    expect(changes).toHaveLength(told + 1)
    expect(patches()).toBe(1)
  })

  it('restores what others change of our annotations', async () => {
    await hold()
    api.nodes.patch('own', {
      metadata: { annotations: { [`${PREFIX}public-ip`]: '192.0.2.1', [`${PREFIX}backend-type`]: null } },
    })
    await waitFor('the repair', () => annotationsOf('own')[`${PREFIX}public-ip`] === '192.168.205.10')
    expect(annotationsOf('own')).toEqual(published('192.168.205.10', MAC))
    expect(log.lines).toContainEqual(expect.stringContaining('annotations of our Node were changed; restoring them'))
  })

  it('answers slowly whoever keeps changing them', async () => {
    await hold()
    const change = async (): Promise<number> => {
      const fromMs = performance.now()
      api.nodes.patch('own', { metadata: { annotations: { [`${PREFIX}backend-type`]: 'udp' } } })
      await waitFor('the repair', () => annotationsOf('own')[`${PREFIX}backend-type`] === 'vxlan')
      return performance.now() - fromMs
    }
    for (let times = 0; times < 3; times++) await change()
    const last = change()
    await waitFor('the condition', () => conditions.all().some(({ reason }) => reason.includes('again and again')))
    expect(await last).toBeGreaterThan(700)
  })

  it('publishes another address', async () => {
    const held = await hold()
    held.publish({ ...TERMS, publicIps: new Map([[4, ip('192.168.205.12')]]) })
    await waitFor('the annotation', () => annotationsOf('own')[`${PREFIX}public-ip`] === '192.168.205.12')
  })

  it('waits for our Node when it is deleted, and is lost only to another podCIDR', async () => {
    const held = await hold()
    api.nodes.delete('own')
    await waitFor('the condition', () =>
      conditions.all().some(({ reason }) => reason.includes('does not exist any more')),
    )
    expect(held).toMatchObject({ lost: undefined, life: undefined })
    expect(log.lines).toContainEqual(
      expect.stringMatching(/warn lease: Node own .*: it is waited for; peers send nothing here meanwhile$/),
    )
    api.nodes.put('own', { podCIDRs: ['10.244.1.0/24'] })
    await waitFor('the annotations', () => annotationsOf('own')[`${PREFIX}public-ip`] === '192.168.205.10')
    await waitFor('that it holds', () => conditions.all().length === 0)
    api.nodes.delete('own')
    api.nodes.put('own', { podCIDRs: ['10.244.9.0/24'] })
    await running
    expect(held.lost).toBe('Node own was made anew with podCIDR 10.244.9.0/24, and had 10.244.1.0/24')
  })

  it('is restored from a backup of the time before our Node had a podCIDR: it is waited for', async () => {
    api.nodes.delete('own')
    api.nodes.put('own', {})
    const backup = api.nodes.backup()
    api.nodes.patch('own', { spec: { podCIDRs: ['10.244.1.0/24'] } })
    const held = await hold()
    api.nodes.restore(backup)
    api.cut()
    await waitFor('the words', () =>
      conditions.all().some(({ reason }) => reason.includes('podCIDR of Node own: expected an IPv4 subnet')),
    )
    expect(held.lost).toBeUndefined()
    api.nodes.patch('own', { spec: { podCIDRs: ['10.244.1.0/24'] } })
    await waitFor('the annotations', () => annotationsOf('own')[`${PREFIX}public-ip`] === '192.168.205.10')
    await waitFor('that it holds', () => conditions.all().length === 0)
  })

  it('lists again when the history is gone, and says what is missing then', async () => {
    await hold()
    api.nodes.delete('peer')
    api.nodes.compact()
    api.failWatches(410, 'too old resource version')
    await waitFor('a list', () => lists.length === 1)
    expect(lists[0]).toMatchObject({ records: [], isOwnMissing: false, wasReset: false })
  })

  it('follows an API server that comes back, with all that has changed meanwhile', async () => {
    isForwarding = true
    await hold()
    await api.stop()
    await waitFor('the condition', () => conditions.all().some(({ what }) => what === 'Kubernetes API'))
    expect(log.lines).toContainEqual(
      expect.stringMatching(/the Kubernetes API is out of reach: .*; forwarding goes on as it is/),
    )
    api.nodes.delete('peer')
    api.nodes.put('new', { podCIDRs: ['10.244.3.0/24'], annotations: published('192.168.205.30', '02:00:00:00:00:30') })
    await api.start()
    await waitFor('both', () => toldOf('10.244.2.0-24') === 'deleted' && toldOf('10.244.3.0-24') === 'put')
    await waitFor('that it holds', () => conditions.all().length === 0)
  })

  it.each([
    [401, /^was reached, and does not know who we are: .*HTTP 401/],
    [403, /^was reached, and does not let us: .*HTTP 403.*needs verb/],
    [500, /^was reached, and answers that it cannot: .*HTTP 500/],
  ])('does not call an API server out of reach that answers with %i', async (status, words) => {
    await hold()
    api.faults = { refuse: { status } }
    api.cut()
    await waitFor('the words', () =>
      conditions.all().some(({ what, reason }) => what === 'Kubernetes API' && words.test(reason)),
    )
    api.faults = {}
    await waitFor('that it holds', () => conditions.all().length === 0)
  })

  it('sees that the API server was restored from a backup', async () => {
    const backup = api.nodes.backup()
    for (let more = 0; more < 5; more++) api.nodes.patch('peer', {})
    await hold()
    api.nodes.restore(backup)
    api.cut()
    await waitFor('a list', () => lists.length === 1)
    expect(lists[0]).toMatchObject({ wasReset: true })
    await waitFor('the annotations', () => annotationsOf('own')[`${PREFIX}public-ip`] === '192.168.205.10')
  })

  it('says that the network is available once the overlay forwards', async () => {
    store.close()
    begin({ setsNetworkAvailable: true })
    await hold()
    expect(api.nodes.get('own')?.status.conditions).toEqual([])
    isForwarding = true
    await waitFor('the condition', () => api.nodes.get('own')?.status.conditions?.length === 1)
    expect(api.nodes.get('own')?.status.conditions).toMatchObject([
      {
        type: 'NetworkUnavailable',
        status: 'False',
        reason: 'FlannelIsUp',
        message: 'Flannel is running on this node',
      },
    ])
  })

  it('says so again of a Node that was made anew or is said to have none, ever more slowly', async () => {
    store.close()
    begin({ setsNetworkAvailable: true })
    isForwarding = true
    await hold()
    const isSaid = (): boolean => api.nodes.get('own')?.status.conditions?.[0]?.status === 'False'
    await waitFor('the condition', isSaid)
    api.nodes.delete('own')
    api.nodes.put('own', {
      podCIDRs: ['10.244.1.0/24'],
      conditions: [{ type: 'NetworkUnavailable', status: 'True', reason: 'NoRouteCreated' }],
    })
    await waitFor('the condition of the new one', isSaid)
    const isSlow = (): boolean => conditions.all().some(({ reason }) => reason.includes('again and again'))
    for (let times = 0; times < 10 && !isSlow(); times++) {
      api.nodes.patch('own', { status: { conditions: [{ type: 'NetworkUnavailable', status: 'True' }] } })
      await waitFor('an answer', () => isSlow() || isSaid())
    }
    expect(isSlow()).toBe(true)
    expect(isSaid()).toBe(false)
    await waitFor('the condition after all', isSaid)
    await waitFor('that it holds', () => conditions.all().length === 0)
  })

  it('says so of a Node that was made anew only once that has a podCIDR and says where we are', async () => {
    store.close()
    begin({ setsNetworkAvailable: true })
    isForwarding = true
    await hold()
    const isSaid = (): boolean => api.nodes.get('own')?.status.conditions?.[0]?.status === 'False'
    const reads = (): number => api.requests.filter(({ verb }) => verb === 'get').length
    await waitFor('the condition', isSaid)
    api.nodes.delete('own')
    const readBefore = reads()
    api.nodes.put('own', {})
    await waitFor('the condition of the lease', () =>
      conditions.all().some(({ what, reason }) => what === 'lease' && /podCIDR of Node own/.test(reason)),
    )
    await waitFor('a look at the new one', () => reads() > readBefore)
    api.nodes.patch('own', {})
    await waitFor('another', () => reads() > readBefore + 1)
    expect(api.nodes.get('own')?.status.conditions).toEqual([])
    api.nodes.patch('own', { spec: { podCIDRs: ['10.244.1.0/24'] } })
    await waitFor('the condition', isSaid)
    expect(annotationsOf('own')).toEqual(published('192.168.205.10', MAC))
  })

  it('names a younger Node with the podCIDR of a peer, though it changes nothing', async () => {
    await hold()
    const later = Date.now() + 60_000
    api.nodes.put('twin', {
      podCIDRs: ['10.244.2.0/24'],
      annotations: published('192.168.205.21', MAC),
      createdMs: later,
    })
    await waitFor('the condition', () => conditions.all().some(({ reason }) => reason.includes('peer, the oldest')))
    expect(changes).toEqual([])
    api.nodes.delete('twin')
    await waitFor('that it holds', () => conditions.all().length === 0)
  })

  it('follows the overwrite of the operator, which nobody is blamed for, and names one that is no address once', async () => {
    const held = await hold()
    const overwrite = (text: string | null): void =>
      void api.nodes.patch('own', { metadata: { annotations: { [`${PREFIX}public-ip-overwrite`]: text } } })
    const publishes = (address: string) => (): boolean => annotationsOf('own')[`${PREFIX}public-ip`] === address
    for (let times = 0; times < 3; times++) {
      overwrite('203.0.113.7')
      await waitFor('the overwrite', publishes('203.0.113.7'))
      expect(held.overwrites).toEqual(new Map([[4, ip('203.0.113.7')]]))
      overwrite(null)
      await waitFor('our own', publishes('192.168.205.10'))
      expect(held.overwrites).toEqual(new Map())
    }
    overwrite('203.0.113.7')
    await waitFor('the overwrite', publishes('203.0.113.7'))
    overwrite('rubbish')
    await waitFor('our own', publishes('192.168.205.10'))
    expect(conditions.all()).toMatchObject([{ what: 'overwrites of our addresses' }])
    for (let beats = 0; beats < 3; beats++) api.nodes.patch('own', {})
    overwrite('203.0.113.8')
    await waitFor('the next one', publishes('203.0.113.8'))
    expect(log.lines.filter((line) => /were changed; restoring|again and again/.test(line))).toEqual([])
    expect(conditions.all()).toEqual([])
  })
})
