import { describe, expect, test } from 'vitest'
import { showStatus } from '../../../src/show/status.ts'
import { SAMPLE_AT, sampleEvent, samplePeer, samplePeers, sampleStatus } from '../../fake/status-samples.ts'
import { eventLine } from '../../../src/show/events.ts'
import { showPeer } from '../../../src/show/peer.ts'
import { showPeers } from '../../../src/show/peers.ts'
import { showAway } from '../../../src/show/away.ts'
import { AWAY, LOOKS } from './shown.ts'

const REJECTED = { key: '10.15.48.0-20', subnet: '10.15.48.0/20', publicIp: '192.168.9.3', name: 'host-3' }

const headOf = (rows: readonly (typeof REJECTED)[]): readonly string[] => {
  const rejected = {
    total: rows.length,
    rows: rows.map((row) => ({ ...row, reason: 'PublicIP is our own', code: 'own_public_ip' })),
  }
  return showStatus(sampleStatus([samplePeer(1)], { rejected }), LOOKS)
    .split('\n')
    .slice(0, 2)
}

describe('the first lines of flanneld status', () => {
  test('say that all is well, and ask for nothing', () => {
    expect(headOf([])).toEqual([expect.stringMatching(/^host-zero is ready; its agent is up for /), ''])
  })

  test('do not say so while leases of others are rejected', () => {
    expect(headOf([REJECTED])).toEqual([
      expect.stringMatching(/^host-zero is ready, but 1 lease of others is not used; its agent is up for /),
      'next: flanneld doctor',
    ])
    expect(headOf([REJECTED, REJECTED])[0]).toContain('2 leases of others are not used')
  })
})

test('a store that refuses is not said to be silent', () => {
  const { store } = sampleStatus([])
  const [endpoint] = store.endpoints.map((one) => ({ ...one, latencyMs: null, lastError: 'HTTP 404 NotFound' }))
  const refusing = {
    ...store,
    kind: 'kubernetes',
    isUp: false,
    endpoints: endpoint === undefined ? [] : [endpoint],
  } as const
  expect(showStatus(sampleStatus([], { store: refusing }), LOOKS)).toMatch(
    /^Kubernetes API +REFUSES, for .*2379 refuses \(.*HTTP 404/m,
  )
})

describe('peers with two address families', () => {
  const reach = (reachable: number, unreachable: number) => ({ reachable, lossy: 0, mtu: 0, unreachable, unknown: 0 })

  test('are counted once, and the families told apart', () => {
    const { peers } = sampleStatus([])
    const families = [
      { family: 4, byReach: reach(2, 0) },
      { family: 6, byReach: reach(1, 1) },
    ] as const
    const summary = { ...peers, total: 2, byReach: reach(3, 1), families }
    expect(showStatus(sampleStatus([], { peers: summary }), LOOKS)).toMatch(
      /^Peers +2: IPv4 2 reachable; IPv6 1 reachable, 1 unreachable$/m,
    )
  })

  test('are so in flanneld peers, too', () => {
    const both = [samplePeer(1), samplePeer(2)].flatMap((peer) => [peer, { ...peer, family: 6 } as const])
    expect(showPeers(samplePeers(both), LOOKS)).toContain('2 peers: IPv4 2 reachable; IPv6 2 reachable\n')
  })
})

test('peers that are kept without a lease are marked', () => {
  const keptUntil = new Date(Date.parse(SAMPLE_AT) + 43_000).toISOString()
  const kept = [samplePeer(1, { keptUntil }), samplePeer(2)]
  const words = 'kept 43 s: lease lost'
  const lines = showPeers(samplePeers(kept), { ...LOOKS, width: 120 }).split('\n')
  expect(lines.filter((line) => line.includes(words))).toEqual([expect.stringMatching(/^host-1 /)])
  expect(showPeer(samplePeers(kept.slice(0, 1)), LOOKS)).toContain(words)
  const { peers } = sampleStatus(kept)
  expect(showStatus(sampleStatus(kept, { peers: { ...peers, kept: 1 } }), LOOKS)).toMatch(
    /^Peers +2: .*; 1 of them kept for a while, whose leases the store has lost$/m,
  )
})

test('flanneld peers says that there is no lease, and does not call that no peers', () => {
  expect(showPeers({ ...samplePeers([]), hasLease: false }, LOOKS)).toBe(
    'this node has no lease, and so no peers: flanneld status says why\n',
  )
  expect(showPeers(samplePeers([]), LOOKS)).toBe('0 peers\n')
})

describe('what others choose', () => {
  const long = 'x'.repeat(1_000)
  const wide = { ...LOOKS, width: undefined }
  const widest = (text: string): number => Math.max(...text.split('\n').map(({ length }) => length))

  test('is cut in every table, also where no terminal limits it', () => {
    const rejected = {
      total: 1,
      rows: [{ key: long, subnet: null, publicIp: null, name: long, reason: long, code: 'malformed' }],
    }
    const row = { family: 4, table: 'route', row: long, peer: long, why: long, until: null } as const
    const text = showStatus(sampleStatus([], { rejected, pending: { total: 1, rows: [row] } }), wide)
    expect(text).toContain('x…')
    expect(widest(text)).toBeLessThan(450)
  })
})

describe('a line of flanneld events', () => {
  test('says of a condition what its words do not say, and nothing twice', () => {
    const fields = { condition: 'docker', reason: 'nobody answers at /run/docker.sock', file: '/etc/x' }
    const line = eventLine(sampleEvent(1, { text: 'docker: it is away', fields }), LOOKS)
    expect(line).toContain('docker: it is away reason=nobody answers at /run/docker.sock file=/etc/x\n')
    const said = eventLine(sampleEvent(1, { text: 'docker: nobody answers at /run/docker.sock', fields }), LOOKS)
    expect(said).toContain('docker: nobody answers at /run/docker.sock file=/etc/x\n')
  })
})

describe('without an agent that answers', () => {
  const [vxlan] = AWAY.devices
  const tun = { name: 'flannel0', isCarried: true, vni: 0, port: 0, neighbours: 0, fdb: 0, routes: 1 }
  const shown = showAway({ ...AWAY, devices: vxlan === undefined ? [] : [{ ...vxlan, ...tun }] }, LOOKS)

  test('the device of udp is shown as what it is', () => {
    expect(shown).toContain('up, 10.15.0.0, MTU 1450, TUN of the udp backend: 1 route')
    expect(shown).toContain('threads of the agent carry packets')
    expect(shown).not.toMatch(/VNI|no overlay|FDB/)
  })
})
