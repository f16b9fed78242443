import { describe, expect, test } from 'vitest'
import { waitFor, type LabHost } from '../../lab/index.ts'
import { ask, failing } from '../../lab/health.ts'
import { objectsAt, objectAt, parseObject, textAt, numberAt, type JsonObject } from '../../lab/json.ts'
import { leaseOf } from '../../lab/expected-tables.ts'
import { CONFIG, DEVICE, useLab } from '../../lab/use-lab.ts'
import { leaveUpstreamBehind } from '../upstream-node.ts'

const SOCKET = '/run/flannel/flanneld.sock'
/** As upstream has made it: device, tables and lease, and no agent. */
const UPSTREAM = { base: '10.200.16.0', subnet: '10.200.16.0/20', publicIp: '192.168.205.13', mac: '82:53:2e:6a:a9:43' }

/** The agent asks again, and it may take some questions until it is sure. */
const DECIDED = { deadlineMs: 60_000, everyMs: 50 }

/** Has a host ask a peer now, and says what it knows then. */
async function probe({ place }: LabHost, of: string): Promise<JsonObject> {
  const text = await place.exec('curl', [
    '-s',
    '-m',
    '20',
    '-X',
    'POST',
    '--unix-socket',
    SOCKET,
    `http://agent/v1/probe?of=${of}`,
  ])
  const [peer] = objectsAt(parseObject(text), 'peers')
  if (peer === undefined) throw new Error(`nobody is ${of}: ${text}`)
  return peer
}

async function becomes(host: LabHost, of: string, reach: string): Promise<JsonObject> {
  return waitFor(
    `${of} to be ${reach}`,
    async () => {
      const peer = await probe(host, of)
      if (textAt(peer, 'reach') !== reach) throw new Error(JSON.stringify(peer))
      return peer
    },
    DECIDED,
  )
}

/** What a host's kernel lets in by eth0. */
const filterIn = ({ place }: LabHost, rule: string): Promise<string> =>
  place.exec('nft', [`table netdev way { chain in { type filter hook ingress device "eth0" priority 0; ${rule}; }; }`])
const mend = ({ place }: LabHost): Promise<string> => place.exec('nft', ['delete table netdev way'])

/** A text like this. */
const like = (pattern: RegExp): unknown => expect.stringMatching(pattern)

describe('peers that are asked whether packets arrive', () => {
  const lab = useLab({ hosts: 4 }, async (made) => {
    await made.putConfig(CONFIG)
    const agents = made.hosts.slice(0, 3)
    for (const { agent } of agents) agent.start()
    for (const host of agents) await host.ready()
    const peers = await Promise.all(agents.map((host) => leaseOf(made, host)))
    await leaveUpstreamBehind(made, made.host(3), { own: { v4: UPSTREAM }, peers: peers.map((v4) => ({ v4 })) })
  })

  test('answer, one of upstream too, and nothing is said of them', async () => {
    const [host0, host1] = [lab().host(0), lab().host(1)]
    for (const name of ['host1', 'host2', UPSTREAM.publicIp]) {
      const peer = await becomes(host0, name, 'reachable')
      expect(numberAt(peer, 'rttMs')).toBeGreaterThan(0)
      expect(numberAt(peer, 'rttMs')).toBeLessThan(1_000)
    }
    await becomes(host1, 'host0', 'reachable')
    expect((await ask(host0, '/readyz'))?.degraded).toEqual([])
  })

  test('probes: a peer that drops UDP, one behind a narrow way and one that loses packets are told apart', async () => {
    const [host0, host1, host2, upstream] = [lab().host(0), lab().host(1), lab().host(2), lab().host(3)]
    await filterIn(host1, 'udp dport 8472 drop')
    await filterIn(host2, 'ip length > 1400 drop')
    await upstream.faults.drop(15)
    const [dropping, narrow] = await Promise.all([
      becomes(host0, 'host1', 'unreachable'),
      becomes(host0, 'host2', 'mtu'),
      becomes(host0, UPSTREAM.publicIp, 'lossy'),
    ])
    expect(objectAt(dropping, 'underlay')).toMatchObject({ answers: true })
    expect(numberAt(narrow, 'passesOctets')).toBe(1_350)
    const said = (what: Parameters<typeof failing>[1]): Promise<unknown> =>
      waitFor(`${what} to be said`, () => failing(host0, what))
    expect(await said('answers of peers over IPv4')).toMatchObject({
      effect: 'degraded',
      reason: like(/^1 of 3 peers does not answer: host1 \(10\.\S+\)$/),
    })
    expect(await said('packet size to peers over IPv4')).toMatchObject({
      reason: like(/^host2 \(\S+\) takes 1350 of 1450 octets$/),
    })
    expect(await said('losses to peers over IPv4')).toMatchObject({
      reason: like(/^192\.168\.205\.13 \(10\.200\.16\.0\/20\) \d+ %$/),
    })
    expect(await ask(host0, '/readyz')).toMatchObject({ status: 200, reasons: [] })
  })

  test('are reachable again when that is over, and it is said', async () => {
    const [host0, host1, host2, upstream] = [lab().host(0), lab().host(1), lab().host(2), lab().host(3)]
    await mend(host1)
    await mend(host2)
    await upstream.faults.drop(0)
    await Promise.all(['host1', 'host2', UPSTREAM.publicIp].map((name) => becomes(host0, name, 'reachable')))
    await waitFor('nothing to be said', async () => (await ask(host0, '/readyz'))?.degraded.length === 0)
  })

  test('probes: where this host drops what comes in, one thing is said, and a peer that is off is silent on the underlay as well', async () => {
    const [host0, host2] = [lab().host(0), lab().host(2)]
    await filterIn(host0, 'udp dport 8472 drop')
    await host2.faults.cut()
    const [there, off] = await Promise.all(
      ['host1', 'host2', UPSTREAM.publicIp].map((name) => becomes(host0, name, 'unreachable')),
    )
    expect(there?.['underlay']).toMatchObject({ answers: true })
    expect(off?.['underlay']).toMatchObject({ answers: false })
    expect(await waitFor('it to be said', () => failing(host0, 'answers of peers over IPv4'))).toMatchObject({
      reason: like(/^no peer answers/),
    })
  })

  test('are not asked with --peer-probes=false: there is no socket for it', async () => {
    const host0 = lab().host(0)
    const rawSockets = (): Promise<string> => host0.place.exec('ss', ['-Hawnp'])
    expect(await rawSockets()).toContain('flanneld')
    await host0.agent.stop()
    host0.agent.start(['--peer-probes=false'])
    await waitFor('the agent to be ready', async () => (await ask(host0, '/readyz'))?.status === 200)
    expect(await rawSockets()).toBe('')
    expect(await host0.link(DEVICE)).toBeDefined()
  })
})
