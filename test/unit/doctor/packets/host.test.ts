import { describe, expect, it } from 'vitest'
import { judgeOwn, judgePeer } from '../../../../src/doctor/packets/address-conflict.ts'
import { judgeChecksums } from '../../../../src/doctor/packets/checksums.ts'
import { judgeWayBack } from '../../../../src/doctor/packets/reverse-path.ts'
import { droppedHere, masqueraded } from '../../../../src/doctor/packets/rules-of-others.ts'
import { inodesOn, judgeDevices, judgePrograms } from '../../../../src/doctor/packets/taken.ts'
import { judgeOwnAddress, judgeUnderlayLink } from '../../../../src/doctor/packets/underlay-link.ts'
import { mac } from '../../../../src/net/mac.ts'
import { HERE, link, silent, vxlanLink, WITHOUT_DEVICE } from '../samples.ts'

describe('the interface below the overlay', () => {
  it('is fine while it is up and has a carrier', () => {
    expect(judgeUnderlayLink(HERE, [link()])).toEqual([])
  })

  it('is turned off, and turned on again', () => {
    expect(judgeUnderlayLink(HERE, [link({ up: false, carrier: false })])).toEqual([
      expect.objectContaining({ cause: 'underlay-down', severity: 'broken', cure: ['ip link set eth0 up'] }),
    ])
  })

  it('has no carrier, which a switch or a cable cures', () => {
    const [found] = judgeUnderlayLink(HERE, [link({ carrier: false })])
    expect(found).toMatchObject({ cause: 'underlay-without-carrier', evidence: ['ip link show eth0: NO-CARRIER'] })
    expect(found?.explains).toContain('IPv4 underlay link')
  })

  it('says nothing where packets leave by others, as with addresses on lo', () => {
    expect(judgeUnderlayLink(HERE, [link({ up: false, kind: 'dummy' })])).toEqual([])
    expect(judgeUnderlayLink(HERE, [])).toEqual([])
  })
})

describe('our address on the underlay', () => {
  const nameOf = (): string => 'eth0'
  const RULE = { family: 4, priority: 0, isInverted: false, table: 'local', action: 'lookup local' } as const
  const none = { is: 'none', code: 'ENETUNREACH' } as const

  it('is found in the table of local routes, by the first rule, or has no way back to there', () => {
    const [noRoute] = judgeOwnAddress(HERE, { answer: none, rules: [RULE], nameOf })
    expect(noRoute).toMatchObject({ cause: 'underlay-address-not-local', covers: 'all peers' })
    expect(noRoute?.cure).toEqual([
      expect.stringMatching(/^ip route add local (\S+)\/32 dev eth0 table local .* src \1$/),
    ])
    const [noRule] = judgeOwnAddress(HERE, { answer: none, rules: [{ ...RULE, table: 'main' }, RULE], nameOf })
    expect(noRule?.cure).toEqual(['ip rule add priority 0 lookup local'])
  })
})

describe('who else has the VNI and the port', () => {
  it('is nobody, where ours is the only device', () => {
    expect(judgeDevices(HERE, [link(), vxlanLink()])).toEqual([])
    expect(judgeDevices(WITHOUT_DEVICE, [vxlanLink({ name: 'other', index: 3 })])).toEqual([])
  })

  it('is another device of the same VNI and port', () => {
    expect(judgeDevices(HERE, [vxlanLink({ name: 'vx0', index: 3 })])).toEqual([
      expect.objectContaining({
        cause: 'vni-taken',
        evidence: ['ip -d link show vx0: vxlan id 100 dstport 8472'],
        cure: [expect.stringContaining('ip link delete vx0')],
      }),
    ])
  })

  it('is another device on the port, where ours could not be turned on', () => {
    const other = vxlanLink({ name: 'vx0', index: 3 }, 7)
    expect(judgeDevices(HERE, [vxlanLink({ up: false }), other]).map(({ cause }) => cause)).toEqual(['udp-port-taken'])
    expect(judgeDevices(HERE, [vxlanLink(), other])).toEqual([]) // they share it
    expect(judgeDevices(HERE, [vxlanLink({ up: false }), { ...other, up: false }])).toEqual([])
  })

  it('is a program with a socket on the port, and not the kernel', () => {
    const table = [
      '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops',
      '  291: 00000000:2118 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 0 2 0000 0',
      '  292: 00000000:2118 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000 0',
      '  293: 00000000:2119 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000 0',
    ].join('\n')
    expect(inodesOn(table, 8472)).toEqual(['4711'])
    expect(judgePrograms(HERE, [])).toEqual([])
    expect(judgePrograms(HERE, [{ inode: '4710', holder: undefined }])).toEqual([]) // the kernel's
    const [found] = judgePrograms(HERE, [{ inode: '4711', holder: { pid: 812, name: 'socat' } }])
    expect(found).toMatchObject({ cause: 'udp-port-taken' })
    expect(found?.summary).toContain('socat (process 812)')
    expect(found?.cure[0]).toContain('kill 812')
  })
})

describe('rules of others', () => {
  const verdict = {
    kind: 'tunnel',
    place: 'nftables inet filter, chain input (handle 5),',
    does: 'drops',
    cure: 'nft',
  } as const

  it('that drop tunnels are broken for all peers', () => {
    expect(droppedHere(verdict)).toMatchObject({ cause: 'udp-port-dropped-here', covers: 'all peers', cure: ['nft'] })
    expect(droppedHere(verdict).evidence).toEqual([
      'nft -a list ruleset: nftables inet filter, chain input (handle 5), drops',
    ])
    expect(droppedHere({ ...verdict, place: 'iptables-legacy filter' }).evidence[0]).toMatch(/^iptables-legacy-save: /)
  })

  it('that masquerade do not explain that a peer is silent', () => {
    expect(masqueraded([verdict])).toMatchObject({
      cause: 'masqueraded-by-others',
      explains: ['masquerading of others'],
    })
    expect(masqueraded([verdict]).covers).toBeUndefined()
  })
})

describe('the way back to a peer', () => {
  const way = {
    ...{ here: HERE, peer: silent(), link: link(), drops: 12 },
    filter: { name: 'net.ipv4.conf.eth0.rp_filter', value: 1 },
  }

  it('is by another interface, which strict filtering does not forgive', () => {
    expect(judgeWayBack({ ...way, back: link({ index: 3, name: 'eth1' }) })).toEqual([
      expect.objectContaining({
        cause: 'rp-filter-drops',
        peer: 'two',
        evidence: [
          'ip route get 192.168.205.11: dev eth1',
          'sysctl net.ipv4.conf.eth0.rp_filter: 1 (strict)',
          'nstat -az TcpExtIPReversePathFilter: 12 packets dropped so',
        ],
        cure: [expect.stringMatching(/^sysctl -w net\.ipv4\.conf\.eth0\.rp_filter=2\b/), expect.any(String)],
      }),
    ])
  })

  it('is by the same interface, or there is none', () => {
    expect(judgeWayBack({ ...way, back: link() })).toEqual([])
    expect(judgeWayBack({ ...way, back: undefined })).toEqual([])
    expect(judgeWayBack({ ...way, back: link({ index: 1, name: 'lo', loopback: true }) })).toEqual([])
  })
})

describe('two machines with one address', () => {
  const [one, other] = [mac('02:00:00:00:00:21'), mac('02:00:00:00:00:22')]

  it('is found where somebody else answers for ours', () => {
    expect(judgeOwn(link(), '192.168.205.10', [])).toEqual([])
    expect(judgeOwn(link(), '192.168.205.10', [mac('02:00:00:00:00:10')])).toEqual([])
    expect(judgeOwn(link(), '192.168.205.10', [one])).toEqual([
      expect.objectContaining({ cause: 'address-conflict-here', covers: 'all peers' }),
    ])
  })

  it('is found where two answer for that of a peer', () => {
    expect(judgePeer(link(), silent(), [one, one])).toEqual([])
    const [found] = judgePeer(link(), silent(), [one, other])
    expect(found).toMatchObject({ cause: 'address-conflict-there', peer: 'two' })
    expect(found?.evidence[0]).toContain(`${one} and ${other} answer`)
  })
})

describe('wrong checksums', () => {
  const facts = { kernel: '4.19.0', driver: 'vmxnet3' }

  it('are of the peers that do not answer', () => {
    const found = judgeChecksums({ said: undefined, rise: 4, silent: ['two'], here: HERE, facts })
    expect(found).toMatchObject({ cause: 'checksum-offload', covers: 'all peers' })
    expect(found.evidence).toEqual([
      'nstat -az UdpInCsumErrors TcpInCsumErrors: 4 more while peers were asked',
      expect.stringContaining('4.19.0, and eth0 has the driver vmxnet3'),
    ])
    expect(found.cure[0]).toMatch(/^on two: ethtool -K flannel\.100 tx-checksum-ip-generic off/)
  })

  it('are of anybody, where all peers answer and the agent says so', () => {
    const found = judgeChecksums({ said: '12 packets …', rise: 0, silent: [], here: HERE, facts })
    expect(found).toMatchObject({ explains: expect.arrayContaining(['checksums']) as unknown })
    expect(found.covers).toBeUndefined()
    expect(found.cure[0]).toMatch(/^on a host that sends here: /)
  })
})
