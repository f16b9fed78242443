import type { RouteAnswer, RouteQuestion, RouteState, RuleState } from '../../kernel/kernel.ts'
import {
  describeRoute,
  describeRule,
  describeWay,
  isDefaultRule,
  isOursMissing,
  isRightWay,
  type RoutedPeer,
} from '../../kernel/route-way.ts'
import { addressAt, parsePrefix, prefixContains } from '../../net/prefix.ts'
import { parseIp } from '../../net/ip.ts'
import type { Check, Finding } from '../finding.ts'
import type { HostReads, OverlayHere, Suspect, View } from '../view.ts'
import { SILENCE } from '../silence.ts'

/** So many peers are asked about at most: whatever wins over the routes to some shows with them. */
const MOST_PEERS = 2_000
/** Of what wins in different ways, so many are told. */
const MOST_WAYS = 6

/** Whether packets to peers follow a route or a rule of others instead of ours. */
export const routes: Check<View> = {
  name: 'the routes that packets to peers follow',
  async look({ agent, overlay, suspects, peers, host }, signal) {
    const status = await agent()
    const found: Finding[] = []
    for (const here of await overlay()) {
      const isSaid = status?.conditions.some(({ what }) => what === saidOf(here)) === true
      const asked = (isSaid ? await peers() : await suspects()).filter(({ family }) => family === here.family)
      if (asked.length > 0) found.push(...(await ask(host, here, asked.slice(0, MOST_PEERS), signal)))
    }
    return found
  },
}

const saidOf = ({ family }: OverlayHere): string => `routes to peers of IPv${family}`

async function ask(
  host: HostReads,
  here: OverlayHere,
  peers: readonly Suspect[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { kernel } = host
  const rules = (await kernel.rules(here.family, signal)).filter((rule) => !isDefaultRule(rule))
  const forwarded = rules.length === 0 ? undefined : await senderOf(host, here, signal)
  const questions = peers.flatMap((peer) => questionsAbout(peer, forwarded))
  const answers = await kernel.answers(
    questions.map(({ question }) => question),
    signal,
  )
  const links = await kernel.links(signal)
  return judgeWays({
    ...{ here, rules },
    wrong: questions.flatMap(({ routed, peer, question }, at) => {
      const answer = answers[at]
      const oneRoute = here.device?.carrier === undefined ? undefined : here.network
      const right = { device: here.device?.index, underlay: here.underlay.index, oneRoute }
      if (answer === undefined || isRightWay(answer, routed, right)) return []
      // a wider route has not won: ours is missing, which another check says, and nobody is to remove a default route
      return isOursMissing(answer, routed, rules, right) ? [] : [{ peer, question, answer }]
    }),
    nameOf: (index) => links.find((link) => link.index === index)?.name ?? `link ${index}`,
  })
}

interface Asked {
  readonly peer: Suspect
  readonly routed: RoutedPeer
  readonly question: RouteQuestion
}

/** About its device and a container of its. */
function questionsAbout(peer: Suspect, forwarded: RouteQuestion['forwarded']): readonly Asked[] {
  const subnet = parsePrefix(peer.subnet)
  const publicIp = parseIp(peer.publicIp)
  if (subnet === undefined || publicIp === undefined) return []
  const routed = { subnet, publicIp }
  return [subnet.base, addressAt(subnet, 1n)].flatMap((destination) => [
    { peer, routed, question: { destination } },
    ...(forwarded === undefined ? [] : [{ peer, routed, question: { destination, forwarded } }]),
  ])
}

/** As a container would send: rules may tell its packets from those of the host. */
async function senderOf(
  { kernel }: HostReads,
  { subnet, device }: OverlayHere,
  signal: AbortSignal,
): Promise<RouteQuestion['forwarded']> {
  const addresses = await kernel.addresses(signal)
  const inside = addresses.filter(({ ip }) => prefixContains(subnet, ip))
  const bridge = inside.find(({ linkIndex }) => linkIndex !== device?.index)
  const taken = new Set(inside.map(({ ip }) => ip.text))
  const source = [2n, 3n, 4n, 5n].map((at) => addressAt(subnet, at)).find(({ text }) => !taken.has(text))
  return bridge && source && { linkIndex: bridge.linkIndex, source }
}

interface WrongWay {
  readonly peer: Suspect
  readonly question: RouteQuestion
  readonly answer: RouteAnswer
}

interface WrongWays {
  readonly here: OverlayHere
  /** Those that others have made. */
  readonly rules: readonly RuleState[]
  readonly wrong: readonly WrongWay[]
  readonly nameOf: (linkIndex: number) => string
}

/** Pure. One finding for each way that is followed instead of ours. */
export function judgeWays({ here, rules, wrong, nameOf }: WrongWays): readonly Finding[] {
  const ways = new Map<string, WrongWay[]>()
  for (const one of wrong) {
    const way = describeWay(one.answer, nameOf, rules)
    ways.set(way, [...(ways.get(way) ?? []), one])
  }
  return [...ways].slice(0, MOST_WAYS).flatMap(([way, followers]) => judgeWay({ here, rules, nameOf }, way, followers))
}

type Around = Omit<WrongWays, 'wrong'>

function judgeWay({ here, rules, nameOf }: Around, way: string, followers: readonly WrongWay[]): readonly Finding[] {
  const [first] = followers
  if (first === undefined) return []
  const { answer, question } = first
  const peers = [...new Set(followers.map(({ peer }) => peer.name))]
  const bridge = bridgeBehind(answer, nameOf)
  if (bridge !== undefined) return [...ofBridge(bridge, here, followers, way)]
  const rule = ruleBehind(answer, rules)
  const who = question.forwarded === undefined ? 'packets' : "containers' packets"
  return [
    {
      ...(rule === undefined ? { cause: 'foreign-route-wins' } : { cause: 'foreign-rule-wins' }),
      ...{ severity: 'broken', ...(peers.length === 1 ? { peer: first.peer.name } : {}) },
      covers: peers.length === 1 ? 'peer' : 'all peers',
      summary: `${who} to ${namesOf(peers)} follow ${way}, not ${here.device?.name ?? 'our route'}`,
      evidence: [
        `${routeGet(question, nameOf)}: ${way}`,
        ...(rule === undefined ? [] : [`ip rule: ${describeRule(rule)}`]),
      ],
      cure: cureOf(answer, rule, here, nameOf),
      explains: [saidOf(here), ...SILENCE],
    },
  ]
}

/** The bridges that containers of the overlay are put on by themselves. */
const BRIDGES: ReadonlySet<string> = new Set(['docker0', 'cni0'])

/** One of them whose own address the kernel has made the route for: taking that away cuts off the containers on it. */
function bridgeBehind(answer: RouteAnswer, nameOf: (index: number) => string): string | undefined {
  if (answer.is === 'none' || answer.route.protocol !== 'kernel' || answer.route.linkIndex === undefined)
    return undefined
  const name = nameOf(answer.route.linkIndex)
  return BRIDGES.has(name) ? name : undefined
}

const ofBridge = (bridge: string, here: OverlayHere, followers: readonly WrongWay[], way: string): readonly Finding[] =>
  [...new Map(followers.map((follower) => [follower.peer.name, follower])).values()].map(({ peer, question }) => ({
    ...{ cause: 'bridge-on-other-subnet', severity: 'broken', peer: peer.name, covers: 'peer' },
    summary: `${bridge} has an address of ${peer.subnet}, the subnet of ${peer.name}: packets for ${peer.name} stay on this host`,
    evidence: [`ip route get ${question.destination.text}: ${way}`, `ip address show ${bridge}`],
    cure: [
      bridge === 'docker0'
        ? `start Docker with the options that flanneld docker-opts writes (--bip), of ${here.subnet.text}, and its containers anew`
        : `end its pods, then: ip link delete ${bridge}; the CNI plugin makes it anew for the next pod`,
    ],
    explains: [saidOf(here), ...SILENCE],
  }))

const MOST_NAMES = 3

function namesOf(names: readonly string[]): string {
  const more = names.length - MOST_NAMES
  return `${names.slice(0, MOST_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

const routeGet = ({ destination, forwarded }: RouteQuestion, nameOf: (index: number) => string): string =>
  forwarded === undefined
    ? `ip route get ${destination.text}`
    : `ip route get ${destination.text} from ${forwarded.source.text} iif ${nameOf(forwarded.linkIndex)}`

/** The rule that leads to the table in which the route is, or that refuses by itself. */
function ruleBehind(answer: RouteAnswer, rules: readonly RuleState[]): RuleState | undefined {
  if (answer.is === 'none') return rules.find(({ table }) => table === undefined)
  const { table } = answer.route
  return table === 'main' || table === 'local' ? undefined : rules.find((rule) => rule.table === table)
}

function cureOf(
  answer: RouteAnswer,
  rule: RuleState | undefined,
  here: OverlayHere,
  nameOf: (index: number) => string,
): readonly string[] {
  const command = here.family === 4 ? 'ip' : 'ip -6'
  const network = here.network?.text ?? 'the overlay'
  if (rule !== undefined)
    return [
      `${command} rule del priority ${rule.priority}`,
      `or let the overlay pass before it: ${command} rule add to ${network} lookup main priority ${Math.max(1, rule.priority - 1)}`,
    ]
  if (answer.is === 'none')
    return [`${command} route show table all: find the route that refuses, and remove it (${command} route del)`]
  return [
    `${command} route del ${describeRoute(answer.route, nameOf)}`,
    `who makes it (${makerOf(answer.route)}) makes it again: have that leave ${network} alone, or move Network`,
  ]
}

const makerOf = ({ protocol }: RouteState): string =>
  protocol === 'boot' || protocol === 'static'
    ? `proto ${protocol}: by hand, or a network manager`
    : `proto ${protocol}`
