import { describe, expect, test } from 'vitest'
import type { LabHost } from '../lab/index.ts'
import { agentCall } from '../lab/program.ts'
import { DEVICE, useLab } from '../lab/use-lab.ts'
import {
  bringUpMixed,
  joinAsUpstream,
  Patient,
  shell,
  doctorOn,
  upstreamLease,
  type Told,
  type ToldFinding,
} from './doctor-lab.ts'

/** A machine that has much else to do takes this long over whatever peers are asked. */
const DEADLINE_MS = 60_000

/** The first two have agents; all others are nodes of upstream's, each of which something else is wrong with later. */
const [PATIENT, AGENT, WELL, OFF, CLOSED, OTHER_PORT, OTHER_VNI, NARROW, CONTESTED, IMPOSTOR] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
]
const FAULTY = [OFF, CLOSED, OTHER_PORT, OTHER_VNI, NARROW] as const
const UPSTREAM = [WELL, ...FAULTY, CONTESTED] as const

const lab = useLab({ hosts: 10 }, async (made) => {
  await bringUpMixed(
    made,
    [made.host(PATIENT), made.host(AGENT)],
    UPSTREAM.map((at) => made.host(at)),
  )
})

const patient = (): LabHost => lab().host(PATIENT)
const doctor = new Patient(patient, DEADLINE_MS)
/** Another host with an agent, which has the same peers. */
const neighbour = new Patient(() => lab().host(AGENT), DEADLINE_MS)
const askNow = (hosts: readonly LabHost[]): Promise<unknown> => doctor.asks(hosts)
const nothingIsWrong = (): Promise<Told> => doctor.isWell()
const agentNames = (words: RegExp): Promise<unknown> => doctor.agentNames(words)

test('finds nothing on healthy hosts, one of upstream’s among them', async () => {
  await nothingIsWrong()
  const { code, stdout } = await lab()
    .host(AGENT)
    .place.attempt(...agentCall('doctor'))
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^nothing found/) as unknown })
})

describe('faults of peers, all at once', () => {
  let told: Told
  const about = (at: number): readonly ToldFinding[] =>
    told.findings.filter(({ peer }) => peer === lab().host(at).address)

  test('are each found, and the agent names the peers without being asked', async () => {
    await Promise.all([
      shell(lab().host(OFF), 'ip link set eth0 down'),
      shell(lab().host(CLOSED), 'iptables -I INPUT -p udp --dport 8472 -j DROP'),
      shell(
        lab().host(OTHER_PORT),
        `ip link del ${DEVICE} && ip link add ${DEVICE} type vxlan id 100 dev eth0 dstport 4789 && ip link set ${DEVICE} up`,
      ),
      // less than the overlay's MTU, in both directions, and nobody says so
      shell(
        lab().host(NARROW),
        'nft add table netdev narrow && nft add chain netdev narrow in { type filter hook ingress device eth0 priority 0\\; } && nft add rule netdev narrow in ip length \\> 1400 drop',
      ),
      shell(lab().host(IMPOSTOR), `ip address add ${lab().host(CONTESTED).address}/24 dev eth0`),
      putVni(OTHER_VNI, 7),
      narrowUplink(lab().host(AGENT)),
    ])
    await Promise.all([
      askNow([OFF, CLOSED, OTHER_PORT, NARROW].map((at) => lab().host(at))),
      neighbour.asks([patient()]),
    ])
    const hasAll = ({ findings }: Told): boolean =>
      FAULTY.every((at) => findings.some(({ peer }) => peer === lab().host(at).address))
    told = await doctor.tells('doctor to find all of them', hasAll)
    expect(about(WELL)).toEqual([])
    await agentNames(/answers of peers over IPv4/)
    await agentNames(/packet size to peers over IPv4/)
    await agentNames(/its VNI is 7, ours 100/)
  })

  test('and a host whose own uplink is narrow says so of it, whoever else is off', async () => {
    await neighbour.agentNames(/packet size to peers over IPv4\b.* takes 1250 of 1450 octets/)
    const { findings } = await neighbour.tells('doctor to find the way to all of them narrow', (said) =>
      said.findings.some(({ cause, summary }) => cause === 'path-mtu-smaller' && summary.includes('on the way to all')),
    )
    const [found] = findings.filter(({ cause }) => cause === 'path-mtu-smaller')
    expect(found?.summary).toMatch(
      /^on the way to all \d peers that answer .*at this host, its uplink, or what all hosts share$/,
    )
    expect(found?.cure[0]).toContain('what eth0 is plugged into')
  })

  /** Beyond its card, where it cannot be seen from the host. */
  const narrowUplink = ({ name }: LabHost): Promise<string> =>
    lab().underlay.place.exec('nft', [
      `table bridge narrow { chain forward { type filter hook forward priority 0;
        iifname "${name}" meta length > 1300 drop; oifname "${name}" meta length > 1300 drop; }; }`,
    ])

  const putVni = async (at: number, vni: number): Promise<void> => {
    const { base, publicIp, mac } = upstreamLease(lab().host(at), at)
    const value = { PublicIP: publicIp, BackendType: 'vxlan', BackendData: { VNI: vni, VtepMAC: mac } }
    await lab().putLease(`${base}-20`, JSON.stringify(value))
  }

  test.each([
    [OFF, 'peer-off', /nobody answers for it/],
    [CLOSED, 'udp-port-dropped-there', /ping \S+: answers in/],
    [OTHER_PORT, 'udp-port-differs', /port unreachable[^]*port 4789/],
    [OTHER_VNI, 'vni-differs', /its VNI is 7, ours 100/],
    [NARROW, 'path-mtu-smaller', /ping -M do -s 1322 .* passes/],
  ])('host %i: %s', (at, cause, evidence) => {
    const found = about(at)
    expect(found.map((one) => one.cause)).toEqual([cause])
    expect(found[0]?.evidence.join('\n')).toMatch(evidence)
  })

  test('host 8: address-conflict-there, whoever of the two is reached', async () => {
    const { address } = lab().host(CONTESTED)
    const { findings } = await doctorOn(patient(), '--peer', address)
    const [found] = findings.filter(({ peer }) => peer === address)
    expect(found?.cause).toBe('address-conflict-there')
    expect(found?.evidence[0]).toMatch(/^arping -I eth0 .* and .* answer$/)
  })

  test('are over when they are cured', async () => {
    await Promise.all([
      shell(lab().host(OFF), 'ip link set eth0 up'),
      shell(lab().host(CLOSED), 'iptables -F INPUT'),
      shell(lab().host(OTHER_PORT), `ip link del ${DEVICE}`).then(() =>
        joinAsUpstream(lab(), [lab().host(OTHER_PORT)], [patient(), lab().host(AGENT)]),
      ),
      shell(lab().host(NARROW), 'nft delete table netdev narrow'),
      lab().underlay.place.exec('nft', ['delete', 'table', 'bridge', 'narrow']),
      shell(lab().host(IMPOSTOR), `ip address del ${lab().host(CONTESTED).address}/24 dev eth0`),
      putVni(OTHER_VNI, 100),
    ])
    await shell(patient(), 'ip neigh flush dev eth0')
    await askNow([AGENT, ...UPSTREAM].map((at) => lab().host(at)))
    await nothingIsWrong()
  })
})
