import { describe, expect, it } from 'vitest'
import { plainly } from '../../../src/present/paint.ts'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { KernelFacts, Step, TraceFacts } from '../../../src/trace/facts.ts'
import { showTrace } from '../../../src/trace/show.ts'
import { steps } from '../../../src/trace/steps.ts'
import { DEVICE, route, TABLES, traceFacts, TRACED, UNDERLAY } from '../../fake/trace-samples.ts'

const wrongOnes = (found: readonly Step[]): readonly string[] =>
  found.filter(({ is }) => is === 'wrong').map(({ name }) => name)

const UNUSED = 'nothing is put there for a lease that is not used: the first line says why'

const links = (...all: readonly (typeof DEVICE)[]): KernelFacts['links'] => new Map(all.map((one) => [one.index, one]))

describe('the way to a peer', () => {
  it('is shown step by step, in the words of the tools that show each', () => {
    expect(steps(traceFacts()).map(({ name, is, found }) => [name, is, found])).toEqual([
      ['lease', 'right', '10.15.16.0-20 of host-1 at 192.168.0.1, VtepMAC 0e:00:00:00:00:01, vxlan (says etcd)'],
      ['device', 'right', 'flannel.1 0e:00:00:00:00:99 mtu 1450 vxlan id 1 dstport 8472 local 192.168.9.9'],
      ['neighbour', 'right', '10.15.16.0 dev flannel.1 lladdr 0e:00:00:00:00:01 PERMANENT'],
      ['fdb', 'right', '0e:00:00:00:00:01 dev flannel.1 dst 192.168.0.1'],
      ['route', 'right', '10.15.16.0/20 via 10.15.16.0 dev flannel.1 proto 70 metric 1000'],
      [
        'firewall',
        'right',
        'the rules of the agent (nftables) stand; none of others is known to drop or rewrite packets of the overlay',
      ],
      ['underlay', 'right', '192.168.0.1: 192.168.0.0/16 dev eth0 proto kernel'],
      ['probe', 'right', 'it answers in 0.312 ms, in full size'],
    ])
  })

  const other = mac('0e:00:00:00:00:02')
  it.each<[string, Partial<KernelFacts>, string, string]>([
    [
      'no device',
      { device: undefined, tables: { neighbours: [], fdb: [], routes: [] } },
      'device',
      'there is no flannel.1',
    ],
    ['a device that is down', { device: { ...DEVICE, up: false } }, 'device', 'it is down'],
    [
      'a device of another kind',
      { device: { ...DEVICE, vxlan: undefined, kind: 'dummy' } },
      'device',
      'not VXLAN with VNI 1',
    ],
    ['no neighbour', { tables: { ...TABLES, neighbours: [] } }, 'neighbour', 'is not there'],
    [
      'another neighbour',
      { tables: { ...TABLES, neighbours: [{ ip: ip('10.15.16.0'), mac: other, permanent: true }] } },
      'neighbour',
      'it should be lladdr 0e:00:00:00:00:01 PERMANENT',
    ],
    [
      'a learnt neighbour',
      { tables: { ...TABLES, neighbours: TABLES.neighbours.map((one) => ({ ...one, permanent: false })) } },
      'neighbour',
      'it should be',
    ],
    ['no FDB entry', { tables: { ...TABLES, fdb: [] } }, 'fdb', 'is not there'],
    [
      'a second destination',
      {
        tables: {
          ...TABLES,
          fdb: [...TABLES.fdb, { mac: mac('0e:00:00:00:00:01'), remote: ip('192.168.0.7'), permanent: true }],
        },
      },
      'fdb',
      'it should be dst 192.168.0.1 alone',
    ],
    [
      'an FDB entry for another port',
      { tables: { ...TABLES, fdb: TABLES.fdb.map((one) => ({ ...one, astray: true as const })) } },
      'fdb',
      'it should be dst',
    ],
    ['no route', { toContainer: { is: 'none', code: 'ENETUNREACH' } }, 'route', 'follow no route'],
    [
      'a foreign route',
      {
        toContainer: {
          is: 'route',
          route: route({
            destination: prefix('10.15.17.0/24'),
            gateway: ip('192.168.0.254'),
            linkIndex: 2,
            protocol: 'static',
          }),
        },
      },
      'route',
      '10.15.17.0/24 via 192.168.0.254 dev eth0',
    ],
    ['no way to its address', { toPublicIp: { is: 'none', code: 'EHOSTUNREACH' } }, 'underlay', 'says unreachable'],
    [
      'a way through the tunnel itself',
      { toPublicIp: { is: 'route', route: route({ destination: prefix('192.168.0.1/32') }) } },
      'underlay',
      'into the tunnel itself',
    ],
    ['no carrier', { links: links({ ...UNDERLAY, carrier: false }, DEVICE) }, 'underlay', 'eth0 has no carrier'],
    ['an underlay that is down', { links: links({ ...UNDERLAY, up: false }, DEVICE) }, 'underlay', 'eth0 is down'],
  ])('with %s is wrong there, and says how it is put right', (_, kernel, name, found) => {
    const all = steps(traceFacts(kernel))
    const first = all.find(({ is }) => is === 'wrong')
    expect(first).toMatchObject({ name, found: expect.stringContaining(found) as unknown })
    expect(first?.cure).not.toEqual([])
  })

  it.each<[NonNullable<TraceFacts['asked']>, string]>([
    [
      { reach: 'lossy', rttMs: 1, loss: 0.25, passesOctets: null, underlay: null, publicIp: '1.1.1.1' },
      '25 % are lost',
    ],
    [
      { reach: 'mtu', rttMs: 1, loss: 0, passesOctets: 1300, underlay: null, publicIp: '1.1.1.1' },
      'more than 1300 octets',
    ],
    [
      {
        reach: 'unreachable',
        rttMs: null,
        loss: 1,
        passesOctets: null,
        underlay: { answers: true, rttMs: 2, says: null },
        publicIp: '1.1.1.1',
      },
      'its public address 1.1.1.1 does in 2 ms',
    ],
    [
      {
        reach: 'unreachable',
        rttMs: null,
        loss: 1,
        passesOctets: null,
        underlay: { answers: false, rttMs: null, says: 'host unreachable from 10.0.0.1' },
        publicIp: '1.1.1.1',
      },
      '1.1.1.1 does not either (host unreachable from 10.0.0.1)',
    ],
  ])('ends where packets end: %j', (asked, found) => {
    const all = steps(traceFacts({}, { asked }))
    expect(wrongOnes(all)).toEqual(['probe'])
    expect(all.at(-1)?.found).toContain(found)
    expect(all.at(-1)?.cure).toEqual(['flanneld doctor --peer host-1'])
  })

  it('is not known to end well where nobody could ask', () => {
    expect(steps(traceFacts({}, { asked: undefined })).at(-1)).toMatchObject({ name: 'probe', is: 'unknown' })
  })

  it('begins with a lease that the agent rejects', () => {
    const rejected = 'its subnet overlaps ours'
    expect(wrongOnes(steps(traceFacts({}, { rejected })))).toEqual(['lease'])
    const found = steps(traceFacts({ tables: { neighbours: [], fdb: [], routes: [] } }, { rejected }))
    const cures = found.filter(({ name }) => name === 'neighbour' || name === 'fdb').map(({ cure }) => cure)
    expect(cures).toEqual([[UNUSED], [UNUSED]])
  })

  it('goes without a tunnel where it is direct, or the backend has none', () => {
    const direct = {
      toContainer: { is: 'route', route: route({ gateway: ip('192.168.0.1'), linkIndex: 2, onlink: false }) },
    } as const
    const names = ['lease', 'route', 'firewall', 'underlay', 'probe']
    expect(steps(traceFacts(direct)).map(({ name, is }) => (is === 'right' ? name : is))).toEqual(names)
    const peer = { ...TRACED, backendType: 'host-gw', mac: undefined, vni: undefined }
    const hostGw = steps(traceFacts({ ...direct, deviceName: undefined, device: undefined }, { peer }))
    expect(hostGw.map(({ name, is }) => (is === 'right' ? name : is))).toEqual(names)
  })
})

describe('what people read of it', () => {
  it('has the cure of the first that is wrong alone, and nothing that moves the cursor', () => {
    const facts = traceFacts(
      { tables: { neighbours: [], fdb: [], routes: [] } },
      { peer: { ...TRACED, name: 'evil\u001b[2J' } },
    )
    const text = showTrace(facts.peer, steps(facts), { paint: plainly, width: 80 })
    expect(text.match(/→/g)).toHaveLength(1)
    expect(text).toContain('the first thing wrong is: neighbour')
    expect(text).not.toContain('\u001b')
  })
})

describe('the firewall on the way', () => {
  const verdict = (place: string) =>
    ({ kind: 'forward', place, does: 'drops packets between containers', cure: `nft delete ${place}` }) as const
  const { own } = traceFacts().firewall
  const stepOf = (firewall: TraceFacts['firewall']): Step | undefined =>
    steps(traceFacts({}, { firewall })).find(({ name }) => name === 'firewall')

  it.each<[string, TraceFacts['firewall'], Step['is'], RegExp]>([
    [
      'a rule of others that drops',
      { own, ofOthers: { drops: [verdict('chain a'), verdict('chain a')], masquerades: [] } },
      'wrong',
      /^chain a drops packets between containers$/,
    ],
    [
      'a masquerade of others',
      { own, ofOthers: { drops: [], masquerades: [verdict('chain b')] } },
      'wrong',
      /^chain b /,
    ],
    [
      'rules of the agent that are not there',
      { own: own && { ...own, holds: false }, ofOthers: { drops: [], masquerades: [] } },
      'wrong',
      /do not stand$/,
    ],
    ['rules that cannot be read', { own, ofOthers: undefined }, 'unknown', /stand; rules of others could not be read/],
    [
      'no agent',
      { own: undefined, ofOthers: { drops: [], masquerades: [] } },
      'right',
      /^the rules of the agent are not known; none of others/,
    ],
    [
      'no rules wanted',
      { own: own && { ...own, isWanted: false, holds: null }, ofOthers: { drops: [], masquerades: [] } },
      'right',
      /^no rules of the agent are wanted/,
    ],
  ])('%s', (_, firewall, is, found) => {
    expect(stepOf(firewall)).toMatchObject({ is, found: expect.stringMatching(found) as unknown })
  })

  it('has the cure of each rule once, and stands between route and underlay', () => {
    const firewall = { own, ofOthers: { drops: [verdict('chain a'), verdict('chain a')], masquerades: [] } }
    expect(stepOf(firewall)?.cure).toEqual(['nft delete chain a'])
    const names = steps(traceFacts()).map(({ name }) => name)
    expect(names.slice(names.indexOf('route'))).toEqual(['route', 'firewall', 'underlay', 'probe'])
  })
})

describe('the way to a peer of udp without an agent', () => {
  const carried = { device: 'flannel0', network: undefined }
  const peer = { ...TRACED, mac: undefined, vni: undefined, backendType: '', carried }
  const tun = { ...DEVICE, name: 'flannel0', vxlan: undefined, kind: 'tun' }
  const around = { deviceName: 'flannel0', tables: { neighbours: [], fdb: [], routes: [] } }
  const wide = { destination: prefix('10.0.0.0/8'), gateway: undefined, metric: 1, onlink: false }

  it('leads into its device, which goes with the agent', () => {
    const toContainer = { is: 'route', route: route({ ...wide, linkIndex: 2, protocol: 'dhcp' }) } as const
    const found = steps(traceFacts({ ...around, device: undefined, toContainer }, { peer, agent: 'away' }))
    expect(found.find(({ name }) => name === 'lease')?.found).toContain('udp (a lease without BackendType)')
    expect(wrongOnes(found)).toEqual(['device', 'route'])
    const wrong = found.find(({ name }) => name === 'route')
    expect([wrong?.found, wrong?.cure]).toEqual([
      expect.stringMatching(/they should go dev flannel0$/),
      ['systemctl start flanneld'],
    ])
  })

  it('is right where an agent that does not answer has made it', () => {
    const toContainer = { is: 'route', route: route(wide) } as const
    const found = steps(
      traceFacts({ ...around, device: tun, toContainer, links: links(tun, UNDERLAY) }, { peer, agent: 'silent' }),
    )
    expect(wrongOnes(found)).toEqual([])
  })
})
