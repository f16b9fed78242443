import { afterEach, describe, expect, test } from 'vitest'
import { waitFor, type LabHost } from '../lab/index.ts'
import { DEVICE, useLab } from '../lab/use-lab.ts'
import {
  bringUpMixed,
  Patient,
  shell,
  causesOf,
  follow,
  upstreamLease,
  type Told,
  type ToldFinding,
} from './doctor-lab.ts'

/** A machine that has much else to do takes this long over whatever peers are asked. */
const DEADLINE_MS = 15_000

/** The first two have agents, the third is a node of upstream's; the last is a machine without either. */
const [PATIENT, AGENT, WELL, IMPOSTOR] = [0, 1, 2, 3]
const UPSTREAM = [WELL] as const

const MASQUERADE = 'POSTROUTING -s 10.0.0.0/8 -j MASQUERADE'
/** A lease with an address that another node has. */
const TWICE = '10.61.0.0-20'

const lab = useLab({ hosts: 4 }, async (made) => {
  await bringUpMixed(
    made,
    [made.host(PATIENT), made.host(AGENT)],
    UPSTREAM.map((at) => made.host(at)),
  )
})

const patient = (): LabHost => lab().host(PATIENT)
const doctor = new Patient(patient, DEADLINE_MS)
const askNow = (hosts: readonly LabHost[]): Promise<unknown> => doctor.asks(hosts)
const nothingIsWrong = (): Promise<Told> => doctor.isWell()
const agentNames = (words: RegExp): Promise<unknown> => doctor.agentNames(words)

/** The agent looks at the rules of others when an address of its subnet comes, and not only once a minute. */
const ring = async (): Promise<void> => {
  const { base } = (await patient().ready()).subnet
  await shell(patient(), `ip address add ${base.text}/32 dev lo; ip address del ${base.text}/32 dev lo`)
}

async function only(cause: string, ...flags: readonly string[]): Promise<ToldFinding> {
  const { findings, code } = await doctor.tells(
    `doctor to find ${cause} alone`,
    (told) => causesOf(told).join() === cause,
    ...flags,
  )
  const [found] = findings
  if (found === undefined) throw new Error('nothing was found')
  expect(code).toBe(1)
  return found
}

/** Takes away whatever a test has left that has failed. */
async function cleanUp(): Promise<void> {
  await patient().faults.restore()
  await lab().deleteLease(TWICE)
  const attempts = (host: LabHost, ...commands: readonly string[]): Promise<string> =>
    shell(host, commands.map((command) => `${command} 2>&1 || true`).join('\n'))
  await Promise.all([
    attempts(
      patient(),
      'iptables -D INPUT -p udp --dport 8472 -j DROP',
      `iptables -t nat -D ${MASQUERADE}`,
      'nft delete table inet strict',
      'nft delete table netdev early',
      'ip link delete eth1',
      'ip link delete vx0',
      'ip link set eth0 up',
      'ip route replace default via 192.168.205.1 dev eth0',
      `ip route delete ${upstreamLease(lab().host(WELL), WELL).base}/24`,
      'ip rule delete priority 77',
      'ip route flush table 77',
      `ip route delete blackhole ${lab().host(AGENT).address}/32`,
      'sysctl -qw net.ipv4.conf.eth0.rp_filter=0',
    ),
    attempts(
      lab().host(WELL),
      'nft delete table ip wrong',
      `ip neighbour del ${patient().address} dev eth0 nud permanent`,
    ),
    attempts(lab().host(IMPOSTOR), `ip address delete ${patient().address}/24 dev eth0`),
  ])
}

describe('what is wrong with this host', () => {
  afterEach(async () => {
    try {
      await nothingIsWrong()
    } finally {
      await cleanUp()
    }
  })

  test('a table of nft that drops what leaves', async () => {
    await shell(
      patient(),
      'nft add table inet strict && nft add chain inet strict out { type filter hook output priority 0\\; } && nft add rule inet strict out udp dport 8472 drop',
    )
    await ring()
    await agentNames(/drops of others: .*inet strict/)
    await follow(patient(), await only('udp-port-dropped-here'))
  })

  test('a table of nft that drops at the underlay, before anything else sees it', async () => {
    await shell(
      patient(),
      'nft add table netdev early && nft add chain netdev early in { type filter hook ingress device eth0 priority 0\\; } && nft add rule netdev early in udp dport 8472 drop',
    )
    await ring()
    await agentNames(/drops of others: .*netdev early/)
    const found = await only('udp-port-dropped-here')
    expect(found.cure).toEqual(['nft insert rule netdev early in udp dport 8472 accept'])
    await follow(patient(), found)
    await askNow([lab().host(AGENT), lab().host(WELL)])
  })

  test('a rule that masquerades between containers', async () => {
    await shell(patient(), `iptables -t nat -I ${MASQUERADE}`)
    await ring()
    await agentNames(/masquerading of others: .*MASQUERADE/)
    expect((await only('masqueraded-by-others')).evidence.join()).toContain(
      '-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE',
    )
    await shell(patient(), `iptables -t nat -D ${MASQUERADE}`)
  })

  test('a route and a rule of others that win over ours', async () => {
    const to = `${upstreamLease(lab().host(WELL), WELL).base}/24`
    await shell(patient(), `ip route add ${to} via 192.168.205.1 dev eth0 proto static`)
    await agentNames(/routes to peers of IPv4/)
    const route = await only('foreign-route-wins')
    expect(route.cure[0]).toBe(`ip route del ${to} via 192.168.205.1 dev eth0 proto static`)
    await follow(patient(), route)
    await shell(
      patient(),
      `ip rule add to ${to} lookup 200 priority 77 && ip route add ${to} via 192.168.205.1 table 200`,
    )
    await agentNames(/routes to peers of IPv4: .*table 200/)
    const rule = await only('foreign-rule-wins')
    expect(rule.cure[0]).toBe('ip rule del priority 77')
    await follow(patient(), rule)
  })

  test('a rule of iptables that drops what comes: status leads with it, and not with the peers that do not answer', async () => {
    await shell(patient(), 'iptables -A INPUT -p udp --dport 8472 -j DROP')
    await Promise.all([ring(), askNow(lab().hosts.slice(1, IMPOSTOR))])
    await Promise.all([agentNames(/answers of peers over IPv4/), agentNames(/drops of others/)])
    await agentNames(/^host0 is degraded, for [^:]+: drops of others: /)
    await follow(patient(), await only('udp-port-dropped-here'))
  })

  test('another machine with our address, which a peer takes for us', async () => {
    const [{ address }, impostor, well] = [patient(), lab().host(IMPOSTOR), lab().host(WELL)]
    await shell(impostor, `ip address add ${address}/24 dev eth0`)
    const mac = (await shell(impostor, 'cat /sys/class/net/eth0/address')).trim()
    await shell(well, `ip neighbour replace ${address} lladdr ${mac} dev eth0 nud permanent`)
    await askNow([well])
    await agentNames(new RegExp(`(answers of|losses to) peers over IPv4: .*${well.address}`))
    const found = await only('address-conflict-here')
    expect(found.evidence[0]).toMatch(/^arping -D -I eth0 .* answers$/)
    await shell(impostor, `ip address del ${address}/24 dev eth0`)
    await shell(well, `ip neighbour del ${address} dev eth0`)
    await askNow([well])
  })

  test('a chain of nft that drops all but the ports of a set, until the overlay’s is among them', async () => {
    await shell(
      patient(),
      `nft 'table inet filter {
        set services { type inet_service; flags interval; elements = { 53, 123, 4789, 50000-60000 } }
        chain input { type filter hook input priority 0; policy drop;
          ct state established,related accept; iif lo accept; ip protocol icmp accept
          udp dport @services accept; tcp dport 0-65535 accept; }
      }'`,
    )
    await askNow(lab().hosts.slice(1))
    const { findings } = await doctor.tells('doctor to find the policy', (told) =>
      causesOf(told).includes('udp-port-dropped-here'),
    )
    expect(findings.map(({ cause }) => cause)).toEqual(['udp-port-dropped-here'])
    expect(findings[0]?.summary).toContain(
      'the policy of nftables inet filter, chain input, drops what other hosts send',
    )
    await shell(patient(), `nft 'add element inet filter services { 8472 }'`)
    await askNow(lab().hosts.slice(1))
    await doctor.isWell()
    await shell(patient(), 'nft delete table inet filter')
  })

  test('a way back that strict filtering does not allow, and checksums that a peer computes wrongly', async () => {
    const [back, wrong] = [lab().host(AGENT), lab().host(WELL)]
    await shell(
      patient(),
      `ip link add eth1 type veth peer name other && ip link set other up && ip link set eth1 up && ip route add ${back.address}/32 dev eth1 && sysctl -qw net.ipv4.conf.eth0.rp_filter=1`,
    )
    await shell(
      wrong,
      'nft add table ip wrong && nft add chain ip wrong out { type filter hook output priority 0\\; } && nft add rule ip wrong out udp dport 8472 @th,48,16 set 0xbeef',
    )
    await askNow([back, wrong])
    await agentNames(/answers of peers over IPv4/)
    const { findings } = await doctor.tells(
      'doctor to find both',
      (told) => causesOf(told).join() === 'rp-filter-drops,checksum-offload',
    )
    const [filter] = findings
    expect(filter).toMatchObject({
      peer: 'host1',
      cure: [expect.stringMatching(/^sysctl -w net\.ipv4\.conf\.eth0\.rp_filter=2,/), expect.any(String)],
    })
    await shell(wrong, 'nft delete table ip wrong')
    if (filter) await follow(patient(), filter)
    await shell(patient(), 'ip link delete eth1')
    await patient().agent.stop() // it says of checksums what it has seen within 30 s
    patient().agent.start()
    await patient().ready()
  })

  test('a rule and a blackhole that keep packets to peers from leaving this host', async () => {
    const peer = lab().host(AGENT)
    const refused = async (way: string): Promise<readonly ToldFinding[]> => {
      const { findings } = await doctor.tells('doctor to find the way refused', (told) =>
        causesOf(told).includes('underlay-way-refused'),
      )
      expect(findings.map(({ cause }) => cause)).not.toContain('udp-port-dropped-there')
      expect(findings.map(({ summary }) => summary)).toContainEqual(expect.stringContaining(way))
      return findings.filter(({ cause }) => cause === 'underlay-way-refused')
    }
    await shell(patient(), `ip route add blackhole ${peer.address}/32`)
    await askNow([peer])
    const [one, ...others] = await refused('a blackhole')
    expect(one).toMatchObject({
      peer: 'host1',
      evidence: [`ip route get ${peer.address} from ${patient().address}: a blackhole`],
    })
    expect(others).toEqual([])
    await shell(patient(), `ip route delete blackhole ${peer.address}/32`)
    await askNow([peer])
    await nothingIsWrong()
    await shell(
      patient(),
      `ip route add unreachable default table 77 && ip rule add from ${patient().address} to ${peer.address} table 77 priority 77`,
    )
    await askNow([peer])
    await refused('unreachable')
    await shell(patient(), 'ip rule delete priority 77; ip route flush table 77')
    await askNow([peer])
  })

  test('a route that takes what is sent to a peer to another interface', async () => {
    const peer = lab().host(AGENT)
    await shell(
      patient(),
      `ip link add eth1 type veth peer name other && ip link set other up && ip link set eth1 up && ip address add 172.30.0.1/24 dev eth1 && ip route add ${peer.address}/32 via 172.30.0.2 dev eth1`,
    )
    await askNow([peer])
    const { findings } = await doctor.tells('doctor to find the way that leads elsewhere', (told) =>
      causesOf(told).includes('underlay-way-elsewhere'),
    )
    expect(findings[0]).toMatchObject({ cause: 'underlay-way-elsewhere', peer: 'host1' })
    const way = `by ${peer.address}/32 via 172.30.0.2 dev eth1`
    expect(findings[0]?.summary).toContain(`does not leave by eth0, from whose address it comes, but ${way}`)
    await shell(patient(), 'ip link delete eth1')
    await askNow([peer])
  })

  test('a lease that publishes our own address', async () => {
    const value = {
      PublicIP: patient().address,
      BackendType: 'vxlan',
      BackendData: { VNI: 100, VtepMAC: '6e:00:00:00:00:77' },
    }
    await lab().putLease(TWICE, JSON.stringify(value))
    await agentNames(/PublicIP \S+ is our own/)
    expect((await only('duplicate-public-ip')).cure.join()).toContain(TWICE)
    await lab().deleteLease(TWICE)
  })

  test('no carrier, and an interface that is turned off', async () => {
    await patient().faults.cut()
    await agentNames(/IPv4 underlay link/)
    await only('underlay-without-carrier')
    await patient().faults.restore()
    await shell(patient(), 'ip link set eth0 down')
    await agentNames(/IPv4 underlay link: eth0 is down/)
    const off = await only('underlay-down')
    await follow(patient(), off)
    await shell(patient(), 'ip route replace default via 192.168.205.1 dev eth0')
    await askNow(lab().hosts.slice(1, IMPOSTOR))
  })

  test.each([
    ['table', 'ip route del local 192.168.205.10 dev eth0 table local'],
    ['rule', 'ip rule add priority 32800 lookup local && ip rule del priority 0'],
  ])('the own address is not taken for that, since somebody changed the %s of local routes', async (_, breaks) => {
    await shell(patient(), breaks)
    const found = await only('underlay-address-not-local')
    expect(found.evidence[0]).toMatch(/^ip route get 192\.168\.205\.10: 192\.168\.205\.0\/24 dev eth0 /)
    await follow(patient(), found)
    await askNow(lab().hosts.slice(1, IMPOSTOR))
    await nothingIsWrong()
  })

  test.each([
    [
      'another device with our VNI',
      'vni-taken',
      'ip link add vx0 type vxlan id 100 dev eth0 dstport 8472 && ip link set vx0 up',
    ],
    [
      'another device on our port with other settings',
      'udp-port-taken',
      'ip link add vx0 type vxlan external dstport 8472 && ip link set vx0 up',
    ],
  ])('%s', async (_, cause, breaks) => {
    await patient().agent.stop()
    await shell(patient(), `ip link delete ${DEVICE} && ${breaks}`)
    patient().agent.start()
    await agentNames(/device flannel\.100/)
    await follow(patient(), await only(cause))
    await patient().ready()
    await askNow(lab().hosts.slice(1, IMPOSTOR))
  })

  test('a program on our port', async () => {
    await patient().agent.stop()
    await shell(patient(), `ip link delete ${DEVICE}`)
    const program = patient().place.start('/dev/null', process.execPath, [
      '-e',
      "require('dgram').createSocket('udp4').bind(8472)",
    ])
    await waitFor('the program to listen', async () => (await shell(patient(), 'ss -uln')).includes(':8472'))
    try {
      patient().agent.start()
      await agentNames(/device flannel\.100/)
      const found = await only('udp-port-taken')
      expect(found.summary).toContain(`node (process ${program.pid})`)
      await follow(patient(), found)
    } finally {
      await shell(patient(), `kill ${program.pid} 2>/dev/null || true`)
    }
    await patient().ready()
    await askNow(lab().hosts.slice(1, IMPOSTOR))
  })
})
