import { describe, expect, it } from 'vitest'
import { readArpRows } from '../../../../src/doctor/kernel/arp-table.ts'
import { judgePolicies, readPolicies, readStates } from '../../../../src/doctor/kernel/ipsec.ts'
import { judgeDrops } from '../../../../src/doctor/kernel/traffic-control.ts'
import { judgeEntry, judgeShared } from '../../../../src/doctor/kernel/underlay-neighbours.ts'
import { judgeSilence } from '../../../../src/doctor/packets/silent-peer.ts'
import { mac } from '../../../../src/net/mac.ts'
import { HERE, link, silent } from '../samples.ts'

/** As `ip xfrm policy` of iproute2 6.1 prints them. */
const SHOWN = `src 10.0.0.0/8 dst 192.168.205.11/32 proto udp sport 4 dev eth0 
\tdir in priority 3 ptype main 
\ttmpl src 192.168.205.11 dst 192.168.205.10
\t\tproto esp reqid 4 mode tunnel
src 192.168.205.10/32 dst 192.168.205.11/32 proto udp dport 8472 
\tdir out action block priority 10 ptype main 
src ::/0 dst ::/0 
\tsocket in priority 0 ptype main 
`
const OUT = { from: '192.168.205.10/32', to: '192.168.205.11/32' }
const policy = (fields: string, about: string, template = ''): string =>
  `src ${OUT.from} dst ${OUT.to} ${fields}\n\tdir out ${about} ptype main \n${template}`
const TEMPLATE = '\ttmpl src 192.168.205.10 dst 192.168.205.11\n\t\tproto esp reqid 0 mode transport\n'

describe('policies of IPsec', () => {
  const judged = (shown: string, states = ''): readonly string[] =>
    judgePolicies({ here: HERE, peer: silent(), policies: readPolicies(shown), states: readStates(states) }).map(
      ({ summary }) => summary,
    )

  it('are read, but for those of sockets', () => {
    expect(readPolicies(SHOWN).map(({ direction, isBlock, priority }) => [direction, isBlock, priority])).toEqual([
      ['in', false, 3],
      ['out', true, 10],
    ])
  })

  it('block what this host sends to the port of a peer', () => {
    expect(judged(SHOWN)).toEqual([
      'a policy of IPsec on this host drops what this host sends two to UDP port 8472: it blocks them',
    ])
  })

  it.each(['proto tcp', 'proto udp dport 4789', 'proto udp sport 500', 'dev eth9', 'mark 0x1/0x1'])(
    'are for other packets: %s',
    (fields) => {
      expect(judged(policy(fields, 'action block priority 1'))).toEqual([])
    },
  )

  it('give way to one of a lower number', () => {
    const [pass, block] = [policy('proto udp', 'priority 1'), policy('', 'action block priority 2')]
    expect(judged(`${block}${pass}`)).toEqual([])
    expect(judged(`${policy('proto udp', 'priority 3')}${block}`)).toHaveLength(1)
  })

  it('want keys, and say so where there are none', () => {
    const shown = policy('', 'priority 1', TEMPLATE)
    expect(judged(shown)[0]).toContain('there are no keys')
    expect(judged(shown, 'src 192.168.205.10 dst 192.168.205.11\n\tproto esp spi 0x1 mode transport\n')).toEqual([])
    expect(judged(shown.replace('mode transport', 'mode transport level use'))).toEqual([])
  })
})

describe('a filter of tc', () => {
  const judged = (rises: readonly number[]): readonly string[] =>
    judgeDrops({ filters: { device: 'eth0', kinds: ['egress bpf'] }, peer: silent(), rises }).map(({ cause }) => cause)

  it.each([
    [[1, 5], true],
    [[2, 6], true],
    [[0, 0], false],
    [[0, 5], false],
    [[400, 401], false],
    [[5, 5], false],
    [[], false],
  ])('that has dropped %j of one and of five packets drops tunnels: %s', (rises, does) => {
    expect(judged(rises)).toEqual(does ? ['tc-drops-here'] : [])
  })
})

describe('neighbours on the underlay', () => {
  const HEAD = 'IP address       HW type     Flags       HW address            Mask     Device\n'
  const [first, second] = ['02:00:00:00:00:11', '02:00:00:00:00:22']
  const rows = (...lines: readonly (readonly [string, number, string])[]) =>
    readArpRows(
      HEAD + lines.map(([address, flags, lladdr]) => `${address}   0x1   0x${flags}   ${lladdr}   *   eth0`).join('\n'),
    )
  const peer = silent()
  const other = silent({ name: 'three', publicIp: '192.168.205.12' })

  it('that nobody has answered for are none', () => {
    expect(rows(['192.168.205.11', 0, '00:00:00:00:00:00'])).toEqual([])
  })

  it('are written down wrongly', () => {
    const [row] = rows(['192.168.205.11', 6, first])
    if (row === undefined) throw new Error('no row')
    expect(judgeEntry(link(), peer, row, [mac(second)])).toMatchObject([
      { cause: 'neighbour-entry-wrong', cure: [expect.stringMatching(/^ip neigh del 192.168.205.11 dev eth0; /)] },
    ])
    expect(judgeEntry(link(), peer, row, [mac(first)])).toEqual([])
    expect(judgeEntry(link(), peer, row, [])).toEqual([])
    expect(judgeEntry(link(), peer, { ...row, isPermanent: false }, [mac(second)])).toEqual([])
  })

  it.each([
    ['two peers', [], ['mac-shared']],
    ['a peer and a router that answers for all', ['192.168.205.1'], []],
  ])('have one MAC: %s', (_, more, expected) => {
    const all = rows(
      ...['192.168.205.11', '192.168.205.12', ...more].map((address): [string, number, string] => [address, 2, first]),
    )
    const [row] = all
    if (row === undefined) throw new Error('no row')
    const found = judgeShared({ link: link(), peer, row, rows: all, peers: [peer, other] })
    expect(found.map(({ cause }) => cause)).toEqual(expected)
    expect(judgeShared({ link: link(), peer, row, rows: all, peers: [peer] })).toEqual([])
  })
})

describe('a peer that does not answer', () => {
  const facts = {
    ...{ here: HERE, peer: silent(), network: undefined, openPorts: [], neighbours: new Map(), hasReadRules: true },
    echo: { is: 'answered', rttMs: 0.4 },
  } as const

  it('is not blamed for what this host does not send', () => {
    const says = 'its firewall drops it, or a policy of IPsec does'
    const [found] = judgeSilence({ ...facts, knock: { is: 'unsent', says } })
    expect(found).toMatchObject({ cause: 'sending-refused-here', isInferred: true })
    expect(found?.evidence).toEqual([`a datagram to 192.168.205.11:8472 does not leave: ${says}`])
  })

  it('is not blamed alone where there is something on this host that cannot be looked into', () => {
    const hidden = ['a program of XDP at eth0']
    const [found] = judgeSilence({ ...facts, hidden, knock: { is: 'silence' } })
    expect(found).toMatchObject({ cause: 'udp-port-dropped-somewhere', isLastResort: true })
    expect(found?.evidence).toContain('on this host: a program of XDP at eth0')
  })
})
