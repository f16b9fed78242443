import { afterEach, describe, expect, test } from 'vitest'
import { textAt } from '../lab/json.ts'
import type { LabHost } from '../lab/index.ts'
import { bringUp, DEVICE, useLab } from '../lab/use-lab.ts'
import { causesOf, follow, Patient, shell, type ToldFinding } from './doctor-lab.ts'

/** A machine that has much else to do takes this long over whatever peers are asked. */
const DEADLINE_MS = 60_000

const [PATIENT, PEER, THIRD] = [0, 1, 2]

const lab = useLab({ hosts: 3 }, bringUp)
const patient = (): LabHost => lab().host(PATIENT)
const peer = (): LabHost => lab().host(PEER)
const doctor = new Patient(patient, DEADLINE_MS)

/** Finds this of a peer, and does not blame the peer, or whoever is between. */
async function foundHere(cause: string, of = peer()): Promise<ToldFinding> {
  await doctor.asks([of])
  const told = await doctor.tells(
    `doctor to find ${cause}`,
    (told) => causesOf(told).includes(cause),
    '--peer',
    of.name,
  )
  expect(causesOf(told)).toEqual([cause])
  const [found] = told.findings
  if (found === undefined) throw new Error('nothing was found')
  return found
}

/** TC_ACT_SHOT for IPv4 UDP to port 8472, TC_ACT_OK for all else (classic BPF; linux/pkt_cls.h). */
const DROPS_TUNNELS = `bpf direct-action bytecode '8,40 0 0 12,21 0 4 2048,48 0 0 23,21 0 2 17,40 0 0 36,21 1 0 8472,6 0 0 0,6 0 0 2'`
/** TC_ACT_SHOT for everything. */
const DROPS_ALL = `bpf direct-action bytecode '1,6 0 0 2'`

describe('what the kernel of this host drops besides rules of firewalls', () => {
  afterEach(async () => {
    const cleanUp = [
      'tc qdisc del dev eth0 clsact',
      `tc qdisc del dev ${DEVICE} clsact`,
      'ip xfrm policy flush',
      `ip neigh del ${peer().address} dev eth0`,
      'iptables -t mangle -F OUTPUT',
      'ip rule delete priority 90',
    ]
    await shell(patient(), cleanUp.map((command) => `${command} 2>&1 || true`).join('\n'))
    await doctor.asks(lab().hosts.slice(PEER))
    await doctor.isWell()
  })

  test.each([
    ['eth0', 'egress', DROPS_TUNNELS],
    ['eth0', 'ingress', DROPS_TUNNELS],
    [DEVICE, 'egress', DROPS_ALL],
    [DEVICE, 'ingress', DROPS_ALL],
  ])('a BPF filter of tc at %s, %s', async (device, hook, filter) => {
    await shell(patient(), `tc qdisc add dev ${device} clsact && tc filter add dev ${device} ${hook} ${filter}`)
    const found = await foundHere('tc-drops-here')
    expect(found.summary).toContain(`at ${device} on this host (${hook} bpf)`)
    expect(found.cure).toContain(`or take it away: tc filter del dev ${device} ${hook}`)
  })

  test('no filter of tc that is there and lets tunnels pass', async () => {
    await shell(
      patient(),
      `tc qdisc add dev eth0 clsact && tc filter add dev eth0 egress bpf direct-action bytecode '1,6 0 0 0'`,
    )
    await shell(peer(), 'iptables -I INPUT -p udp --dport 8472 -j DROP')
    try {
      const found = await foundHere('udp-port-dropped-there')
      expect(found.evidence.join('\n')).toContain('3 of 3 questions are seen leaving by eth0, and no answer coming in')
    } finally {
      await shell(peer(), 'iptables -D INPUT -p udp --dport 8472 -j DROP')
    }
  })

  test.each(['out', 'in'])('a policy of IPsec that blocks, %s', async (direction) => {
    const ends = [patient().address, peer().address]
    const [source = '', destination = ''] = direction === 'out' ? ends : ends.toReversed()
    await shell(
      patient(),
      `ip xfrm policy add dir ${direction} src ${source}/32 dst ${destination}/32 proto udp dport 8472 action block`,
    )
    const found = await foundHere('ipsec-drops-here')
    expect(found.evidence[0]).toContain(`dir ${direction}, action block`)
    await follow(patient(), found)
  })

  test('a policy of IPsec for which there are no keys', async () => {
    const [source, destination] = [patient().address, peer().address]
    await shell(
      patient(),
      `ip xfrm policy add dir out src ${source}/32 dst ${destination}/32 tmpl src ${source} dst ${destination} proto esp mode transport`,
    )
    expect((await foundHere('ipsec-drops-here')).evidence[0]).toContain('ip xfrm state has none')
  })

  test('a MAC of the peer that somebody has written down, and that nobody has', async () => {
    await shell(patient(), `ip neigh replace ${peer().address} lladdr 02:50:56:12:34:56 dev eth0 nud permanent`)
    const found = await foundHere('neighbour-entry-wrong')
    expect(found.evidence[0]).toContain('lladdr 02:50:56:12:34:56 PERMANENT')
    await follow(patient(), found)
  })

  test('a mark, and a rule that prohibits what has it', async () => {
    await shell(
      patient(),
      `iptables -t mangle -A OUTPUT -p udp --dport 8472 -d ${peer().address} -j MARK --set-mark 0x66 && ip rule add fwmark 0x66 prohibit priority 90`,
    )
    const found = await foundHere('sending-refused-here')
    expect(found.summary).toContain('this host itself does not send')
    expect(found.evidence.join('\n')).toContain('90: from all fwmark 0x66/0xffffffff prohibit')
  })

  describe('rules of nft that cannot be told to be in the way, by what is seen on the underlay', () => {
    // By NAT once: it leaves connections alone that it has seen before.
    const table = (hook: string, rule: string, type = 'filter'): Promise<string> =>
      shell(
        patient(),
        `nft 'table inet stranger {
          set places { type ipv4_addr . inet_service; elements = { ${peer().address} . 8472 } }
          chain c { type ${type} hook ${hook} priority -150; ${rule}; }
        }'`,
      )

    afterEach(() => shell(patient(), 'nft delete table inet stranger'))

    test('a set of places that nothing of any length is sent to', async () => {
      await table('postrouting', 'ip daddr . udp dport @places udp length > 40 drop')
      expect((await foundHere('tunnels-do-not-leave')).summary).toContain('does not leave by eth0')
    })

    test('a set of places from which nothing is taken', async () => {
      await table('prerouting', 'ip saddr . udp dport @places drop')
      const found = await foundHere('answers-dropped-here')
      expect(found.evidence.join('\n')).toMatch(/[1-9]\d* answers are seen coming in/)
    })

    test('one that leads what comes in to another port', async () => {
      await table('prerouting', 'ip saddr . udp dport @places redirect to :9999', 'nat')
      expect((await foundHere('answers-dropped-here')).summary).toContain('answers of host1 come in by eth0')
    })

    test('one that leads what leaves to another host', async () => {
      const [to, rewrite] = [lab().host(THIRD).address, 'ip daddr . udp dport @places ip daddr set']
      await table('output', `${rewrite} ${to} udp dport set 4789`, 'route')
      expect((await foundHere('tunnels-rewritten-here')).summary).toContain(`to ${to}, port 4789`)
    })
  })

  test('two peers whose cards have one MAC', async () => {
    const third = lab().host(THIRD)
    const macOf = async ({ place }: LabHost): Promise<string> => {
      const [card] = await place.ip('link', 'show', 'dev', 'eth0')
      return (card && textAt(card, 'address')) ?? ''
    }
    const setMac = (mac: string): Promise<string> =>
      shell(third, `ip link set eth0 down && ip link set eth0 address ${mac} && ip link set eth0 up`)
    const own = await macOf(third)
    await setMac(await macOf(peer()))
    try {
      const { findings } = await doctor.tells(
        'doctor to find the MAC of both',
        (told) => causesOf(told).includes('mac-shared'),
        '--peer',
        third.name,
      )
      const [found] = findings.filter(({ cause }) => cause === 'mac-shared')
      expect(found?.summary).toContain('host2 and host1 have the same MAC on eth0')
    } finally {
      await setMac(own)
      await shell(third, 'ip route replace default via 192.168.205.1 dev eth0')
      await shell(patient(), 'ip neigh flush dev eth0')
    }
  })
})
