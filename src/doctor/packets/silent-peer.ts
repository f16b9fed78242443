import type { RuleState } from '../../kernel/kernel.ts'
import { describeRule } from '../../kernel/route-way.ts'
import { parseIp } from '../../net/ip.ts'
import { prefixContains, prefixOf, type Prefix } from '../../net/prefix.ts'
import type { Check, Finding } from '../finding.ts'
import type { OverlayHere, Sight, Suspect, View } from '../view.ts'
import type { ArpTable } from '../kernel/arp-table.ts'
import { judgeSight } from '../kernel/tunnels-seen.ts'
import { SILENCE } from '../silence.ts'
import { arpTable, askPeer, hiddenOf, NOBODY, whoAnswers, type Asked } from './ask-silent.ts'
import { HIDDEN, onHost, storeWords, type StoreWords } from './words.ts'

/** Why a peer does not answer, as far as that is seen from here. */
export const silentPeers: Check<View> = {
  name: 'peers that do not answer',
  async look({ agent, overlay, suspects, undecided, sights, host, probes, kube }, signal) {
    const silent = (await suspects()).filter(({ reach }) => reach === 'unreachable' || reach === 'lossy')
    const open = await undecided()
    if (silent.length === 0 && open > 0)
      throw new Error(
        `${open} ${open === 1 ? 'peer' : 'peers'} that joined just now ${open === 1 ? 'has' : 'have'} not answered yet: ask again in ten seconds`,
      )
    if (silent.length === 0) return []
    const waiting = (await agent())?.configuration?.waitsForRestart.find((change) => change.includes('Backend.Port'))
    const addresses = await host.kernel.addresses(signal)
    const links = await host.kernel.links(signal)
    const words = storeWords({ kube })
    const seen = await sights().catch(() => undefined)
    const hasReadRules = await host.verdicts().then(
      () => true,
      () => false,
    )
    const all = await Promise.all(
      (await overlay()).map(async (here) => ({
        here,
        hidden: await hiddenOf(host, here),
        marking: (await host.kernel.rules(here.family, signal)).filter(isForMarked),
      })),
    )
    const looks = all.flatMap(({ here, hidden, marking }) => {
      const own = addresses.find(({ ip }) => ip.text === here.underlay.address.text)
      const network = own && prefixOf(own.ip, own.prefixLength)
      return silent
        .filter(({ family }) => family === here.family)
        .map(async (peer) => {
          const asked = await askPeer(probes, here, peer)
          const link = links.find(({ index }) => index === here.underlay.index)
          const hasAnswered = asked.echo.is === 'answered'
          const neighbours = hasAnswered ? NOBODY : ((await whoAnswers(probes, link, peer)) ?? (await arpTable(host)))
          const sight = seen?.get(peer)
          return judgeSilence({
            here,
            peer,
            network,
            neighbours,
            hasReadRules,
            hidden,
            marking,
            words,
            sight,
            waiting,
            ...asked,
          })
        })
    })
    return (await Promise.all(looks)).flat()
  },
}

/** Which packets it is for cannot be told: those that some rule of the firewall marks. */
const isForMarked = ({ mark }: RuleState): boolean => mark !== undefined && mark.value !== 0

interface Silence extends Asked {
  readonly here: OverlayHere
  readonly peer: Suspect
  /** Of our address on the underlay. */
  readonly network: Prefix | undefined
  readonly neighbours: ArpTable
  /** Whether the firewall of this host is known not to be it: else a finding of its own says so. */
  readonly hasReadRules: boolean
  /** On this host, what may drop packets, and is not known to or not to. Absent: nothing. */
  readonly hidden?: readonly string[]
  /** Rules that lead marked packets elsewhere. Absent: there are none. */
  readonly marking?: readonly RuleState[]
  /** Absent: those of etcd. */
  readonly words?: StoreWords
  /** What was seen of it on the underlay. */
  readonly sight?: Sight | undefined
  /** That the configuration has another port than this host, in words. */
  readonly waiting?: string | undefined
}

/** Pure. */
export function judgeSilence(facts: Silence): readonly Finding[] {
  const { knock, peer, here } = facts
  const common = { severity: 'broken', peer: peer.name, isInferred: true, explains: [...SILENCE] } as const
  const port = here.device?.port ?? 0
  if (facts.sight !== undefined && facts.sight.answers > 0 && isSeenHere(facts)) return [] // whoever answers listens there
  if (knock?.is === 'closed') return [{ ...common, ...closed(facts, port) }]
  if (knock?.is === 'unsent') return [{ ...common, ...unsent(facts, knock.says, port) }]
  if (knock?.is === 'refused')
    return [
      {
        ...{ ...common, cause: 'udp-port-dropped-there', cure: openThere(peer, port) },
        summary: `a firewall of ${peer.name}, or before it, refuses UDP port ${port}`,
        evidence: [`a datagram to ${peer.publicIp}:${port} comes back as "${knock.says}"`],
      },
    ]
  if (!isOn(facts)) return [{ ...common, ...away(facts) }]
  return isSeenHere(facts) ? [] : [{ ...common, ...dropped(facts, port) }]
}

/** What is seen on the underlay says that this host loses them: that is told by `tunnelsSeen`. */
const isSeenHere = ({ here, peer, sight }: Silence): boolean =>
  sight !== undefined && judgeSight({ here, peer, sight }).length > 0

type Told = Pick<Finding, 'cause' | 'summary' | 'evidence' | 'cure' | 'isLastResort'>

const isOnLink = ({ network, peer }: Silence): boolean => {
  const address = parseIp(peer.publicIp)
  return network !== undefined && address?.family === network.family && prefixContains(network, address)
}

/** It answers on the underlay, if not an echo, then the question for its MAC. */
const isOn = (facts: Silence): boolean =>
  facts.echo.is === 'answered' || (isOnLink(facts) && facts.neighbours.get(facts.peer.publicIp) !== undefined)

function unsent({ peer, here, marking = [] }: Silence, says: string, port: number): Told {
  const ip = here.family === 4 ? 'ip' : 'ip -6'
  return {
    cause: 'sending-refused-here',
    summary: `this host itself does not send to UDP port ${port} of ${peer.name}: ${says}`,
    evidence: [
      `a datagram to ${peer.publicIp}:${port} does not leave: ${says}`,
      ...marking.map((rule) => `${ip} rule: ${describeRule(rule)}, for what the firewall marks so`),
    ],
    cure: [
      `nft list ruleset: look for ${port}, ${peer.publicIp}, sets that have them, and for what sets a mark (meta mark, MARK)`,
      `${ip} rule show; ${ip} route get ${peer.publicIp} mark MARK, with the mark of each rule; ip xfrm policy`,
    ],
  }
}

function closed({ peer, openPorts, here, waiting }: Silence, port: number): Told {
  const [other] = openPorts
  const open = other === undefined ? [] : [`its port ${other} does not say so: its device may be there`]
  if (waiting !== undefined)
    return {
      cause: 'udp-port-differs',
      summary: `nobody at ${peer.name} listens on UDP port ${port}, which this host still has, while the configuration has another one`,
      evidence: [`a datagram to ${peer.publicIp}:${port} comes back as "port unreachable"`, ...open, waiting],
      cure: ['systemctl restart flanneld, on this host and on each that still has the former port'],
    }
  return {
    cause: 'udp-port-differs',
    summary: `nobody at ${peer.name} listens on UDP port ${port}: its flannel has no device, or one with another port`,
    evidence: [`a datagram to ${peer.publicIp}:${port} comes back as "port unreachable"`, ...open],
    cure: [
      onHost(peer.name, showsPort(here, port)),
      onHost(
        peer.name,
        'systemctl restart flanneld, which then takes Backend.Port from the network configuration, as this host has',
      ),
      onHost(
        peer.name,
        `if it does listen there, a firewall rejects in these words: see nft list ruleset, iptables -S INPUT`,
      ),
      `if ${peer.publicIp} is that of a router before ${peer.name}: have it forward UDP port ${port} to ${peer.name}`,
    ],
  }
}

function showsPort({ device }: OverlayHere, port: number): string {
  if (device?.carrier !== undefined) return `ss -uln 'sport = :${port}', which shows whether its flannel listens there`
  return `ip -d link show type vxlan, which shows dstport: it should be ${port} as ${device?.name ?? 'the device'} has here`
}

/** Of what cannot be looked into, a program of XDP alone takes packets before anybody sees them. */
const isSeenWhole = (hidden: readonly string[]): boolean => !hidden.some((what) => what.includes('XDP'))

function dropped(facts: Silence, port: number): Told {
  const { peer, echo, neighbours, hasReadRules, hidden = [], sight, here } = facts
  const answer =
    echo.is === 'answered'
      ? `ping ${peer.publicIp}: answers in ${Math.max(0.01, echo.rttMs).toFixed(2)} ms`
      : `ip neigh show ${peer.publicIp}: ${neighbours.get(peer.publicIp) ?? ''} answers`
  const evidence = [answer, `ping ${peer.address ?? peer.subnet}: no answer through the overlay`]
  if (sight !== undefined && sight.leaving.length > 0 && sight.answers === 0 && isSeenWhole(hidden))
    return {
      ...{ cause: 'udp-port-dropped-there', isLastResort: true },
      summary: `${peer.name} is on, and what this host sends to it through the overlay leaves, but nothing comes back: its firewall, or one between, drops UDP port ${port}, or its answers go elsewhere`,
      evidence: [...evidence, ...seenOf(sight, here, peer), ...saysOf(peer)],
      cure: openThere(peer, port),
    }
  if (!hasReadRules)
    return {
      ...{ cause: 'udp-port-dropped-somewhere', isLastResort: true },
      summary: `${peer.name} is on, but what is sent to it through the overlay is not answered: a firewall drops UDP port ${port}, that of this host, that of ${peer.name}, or one between`,
      evidence: [...evidence, 'the rules of this host cannot be read without CAP_NET_ADMIN', ...saysOf(peer)],
      cure: [
        'here, as root and outside of containers: flanneld doctor, which reads the rules of this host',
        ...openThere(peer, port),
      ],
    }
  if (hidden.length > 0)
    return {
      ...{ cause: 'udp-port-dropped-somewhere', isLastResort: true },
      summary: `${peer.name} is on, but what is sent to it through the overlay is not answered: it is dropped here, by what cannot be looked into (${hidden.join('; ')}), there, or between`,
      evidence: [...evidence, ...hidden.map((what) => `on this host: ${what}`), ...saysOf(peer)],
      cure: [
        `here: look at what drops: tc -s qdisc show, bpftool net show, nft list ruleset`,
        ...openThere(peer, port),
      ],
    }
  return {
    ...{ cause: 'udp-port-dropped-there', isLastResort: true },
    summary: `${peer.name} is on, but what is sent to it through the overlay is not answered, and no rule here is known to be in the way: most likely its firewall, or one between, drops UDP port ${port}`,
    evidence: [
      ...evidence,
      `no rule of nft or iptables on this host is known to drop UDP port ${port}, and neither a filter of tc, XDP nor a policy of IPsec is`,
      ...saysOf(peer),
    ],
    cure: openThere(peer, port),
  }
}

/** As tcpdump would show it. */
function seenOf({ asked, leaving, questions }: Sight, { underlay }: OverlayHere, { name }: Suspect): readonly string[] {
  const left = `${leaving.length} of ${asked} questions are seen leaving by ${underlay.interface}, and no answer coming in`
  return questions === 0
    ? [left]
    : [left, `${questions} questions of ${name} come in: the way from there to here is open`]
}

const saysOf = ({ underlay }: Suspect): readonly string[] =>
  underlay?.says === undefined || underlay.says === null ? [] : [underlay.says]

const openThere = (peer: Suspect, port: number): readonly string[] => [
  onHost(peer.name, 'flanneld doctor, which names the rule, or the route that leads its answers elsewhere'),
  onHost(
    peer.name,
    `or look for it: nft list ruleset, iptables -S INPUT; it should say: iptables -I INPUT -p udp --dport ${port} -j ACCEPT`,
  ),
  `between the hosts: let UDP port ${port} pass in both directions (security groups, routers)`,
]

function away(facts: Silence): Told {
  const { peer, echo, here, words = storeWords({}) } = facts
  const { publicIp, name } = peer
  if (publicIp === HIDDEN) return hidden(peer)
  const says = echo.is === 'refused' ? [`ping ${publicIp}: ${echo.says}`] : [`ping ${publicIp}: no answer`]
  if (isOnLink(facts))
    return {
      cause: 'peer-off',
      summary: `${name} is off, or its network is: nobody on ${here.underlay.interface} has its address ${publicIp}`,
      evidence: [...says, `ip neigh show ${publicIp}: FAILED, nobody answers for it`],
      cure: [
        onHost(name, 'turn it on, and see to its network (ip link, ip address)'),
        `if it will not come back: ${words.giveUp(peer.subnet, name)}`,
      ],
    }
  return {
    cause: 'peer-unreachable-on-underlay',
    summary: `nothing reaches ${name} at ${publicIp}, with or without the overlay: it is off, or there is no way to that address from here`,
    evidence: [...says, `ip route get ${publicIp}`],
    cure: [
      onHost(
        name,
        `turn it on; if it has another address that this host reaches, flanneld with --iface or --public-ip`,
      ),
      `ping ${publicIp}, and mend the way to it; many hosts do not answer a ping though they are on`,
    ],
  }
}

const hidden = ({ name, publicIp }: Suspect): Told => ({
  cause: 'public-ip-hidden',
  summary: `${name} publishes ${publicIp}, the address that VirtualBox or QEMU gives to every machine behind its NAT: nobody else reaches it`,
  evidence: [`ping ${publicIp}: no answer from ${name}`],
  cure: [
    onHost(name, 'flanneld with --iface= and the interface by which the hosts reach each other (ip -br -4 address)'),
  ],
})
