import { afterEach, beforeEach, expect, test } from 'vitest'
import { describeWay, isDefaultRule, isOursMissing, isRightWay } from '../../src/kernel/route-way.ts'
import type { RouteAnswer } from '../../src/kernel/kernel.ts'
import { addressAt, prefix, type Prefix } from '../../src/net/prefix.ts'
import { ip, type Family } from '../../src/net/ip.ts'
import { makeVxlan } from './peers.ts'
import { check, realKernel, tool, workerSubnet, type RealHarness } from './real-kernel.ts'

let harness: RealHarness
let signal: AbortSignal
const undo: (() => void)[] = []

beforeEach(() => {
  harness = realKernel()
  signal = AbortSignal.timeout(20_000)
})

afterEach(() => {
  for (const undone of undo.splice(0).reverse()) undone()
  return harness.dispose()
})

/** What somebody does with a command of `ip`, and what undoes it. */
function doing(added: string, family: Family = 4): void {
  const options = family === 4 ? [] : ['-6']
  tool('ip', ...options, ...added.split(' '))
  const removed = added.startsWith('nexthop')
    ? added.replace(/ add (id \d+).*/, ' del $1')
    : added.replace(' add ', ' del ')
  undo.push(() => tool('ip', ...options, ...removed.split(' ')))
}

/** Our route to the subnet. */
async function makeOurs(subnet: Prefix, linkIndex: number): Promise<void> {
  const ours = {
    destination: subnet,
    gateway: subnet.base,
    linkIndex,
    metric: 5,
    protocol: '70',
    onlink: true,
  } as const
  check(await harness.kernel.apply([{ op: 'route.replace', type: 'unicast', ...ours }], signal))
}

/** Which way the kernel would take to a container in the subnet. */
async function wayTo(subnet: Prefix): Promise<RouteAnswer> {
  const [answer] = await harness.kernel.answers([{ destination: addressAt(subnet, 1n) }], signal)
  if (answer === undefined) throw new Error('no answer')
  return answer
}

/** Something of others that wins over our route to a subnet, what it is called, and whether our route is taken for missing. */
const WINNING: Readonly<
  Record<string, (subnet: string, device: string) => readonly [commands: string[], words: RegExp]>
> = {
  'without a metric': (subnet) => [[`route add ${subnet} dev lo proto static`], /^\S+ dev lo proto static$/],
  'to a part of the subnet': (subnet) => [
    [`route add ${subnet.replace('.0/24', '.0/25')} dev lo`],
    /^\S+\/25 dev lo proto boot$/,
  ],
  'of another table by a rule': (subnet) => [
    [`route add default dev lo table 2001`, `rule add pref 2001 to ${subnet} lookup 2001`],
    /^0\.0\.0\.0\/0 dev lo proto boot table 2001 \(rule 2001: from all to \S+ lookup 2001\)$/,
  ],
  'a blackhole': (subnet) => [[`route add blackhole ${subnet}`], /^a blackhole$/],
  unreachable: (subnet) => [[`route add unreachable ${subnet}`], /says unreachable$/],
  'a rule that prohibits': (subnet) => [[`rule add pref 2002 to ${subnet} prohibit`], /says prohibit$/],
  'that is thrown away': (subnet) => [[`route add throw ${subnet}`], /^no route$/],
  'through a nexthop object on our device, of our protocol': (subnet, device) => [
    [`nexthop add id 2003 via 192.0.2.77 dev ${device} onlink`, `route add ${subnet} nhid 2003 proto 70`],
    /^\S+ via 192\.0\.2\.77 dev \S+ proto 70$/,
  ],
  'through several next hops': (subnet, device) => [
    [`route add ${subnet} nexthop via 192.0.2.77 dev ${device} onlink nexthop via 192.0.2.78 dev ${device} onlink`],
    /^\S+ via 192\.0\.2\.77 dev/,
  ],
  'an address of this host': (subnet) => [
    [`addr add ${subnet.replace('.0/24', '.1/32')} dev lo`],
    /^local \S+\/32 dev lo proto kernel table local$/,
  ],
}

test.each(Object.keys(WINNING))(
  'a route or rule of others that wins over ours is seen and described: %s',
  async (name) => {
    const linkIndex = await makeVxlan(harness)
    const device = harness.device(0).name
    const subnet = workerSubnet(200)
    const publicIp = ip('192.0.2.9')
    await makeOurs(subnet, linkIndex)
    const ask = (): Promise<RouteAnswer> => wayTo(subnet)
    const links = { device: linkIndex, underlay: 1 }
    expect(isRightWay(await ask(), { subnet, publicIp }, links)).toBe(true)
    const [commands, words] = WINNING[name]?.(subnet.text, device) ?? [[], /^$/]
    for (const command of commands) doing(command)
    const answer = await ask()
    expect(isRightWay(answer, { subnet, publicIp }, links)).toBe(false)
    const rules = (await harness.kernel.rules(4, signal)).filter((rule) => !isDefaultRule(rule))
    const nameOf = (index: number): string => (index === linkIndex ? device : index === 1 ? 'lo' : `${index}`)
    expect(describeWay(answer, nameOf, rules)).toMatch(words)
    expect(isOursMissing(answer, { subnet, publicIp }, rules)).toBe(
      name === 'that is thrown away' && rules.length === 0,
    )
  },
)

/** The same of IPv6, of which the kernel wants to be asked in another way. */
const WINNING_IPV6: Readonly<Record<string, readonly [command: string, words: RegExp]>> = {
  'with a better metric': ['route add fd00:7e57:1::/64 dev lo metric 1', /^\S+ dev lo proto boot metric 1$/],
  'to a part of the subnet': ['route add fd00:7e57:1::/80 dev lo', /^\S+\/80 dev lo proto boot metric 1024$/],
  'a blackhole': ['route add blackhole fd00:7e57:1::/80', /^a blackhole$/],
  'a rule that prohibits': ['rule add pref 2002 to fd00:7e57:1::/64 prohibit', /says prohibit$/],
}

test.each(Object.entries(WINNING_IPV6))(
  'a route or rule of others that wins over ours in IPv6 is seen and described: %s',
  async (_, [command, words]) => {
    const linkIndex = await makeVxlan(harness)
    const subnet = prefix('fd00:7e57:1::/64')
    await makeOurs(subnet, linkIndex)
    const peer = { subnet, publicIp: ip('fd00:1::9') }
    const links = { device: linkIndex, underlay: 1 }
    const ask = (): Promise<RouteAnswer> => wayTo(subnet)
    expect(isRightWay(await ask(), peer, links)).toBe(true)
    doing(command, 6)
    const answer = await ask()
    expect(isRightWay(answer, peer, links)).toBe(false)
    expect(describeWay(answer, () => 'lo', [])).toMatch(words)
  },
)

test('routes that only some packets follow are told apart from those for all', async () => {
  const linkIndex = await makeVxlan(harness)
  const device = harness.device(0).name
  const subnet = workerSubnet(201)
  doing(`route add ${subnet.text} tos 0x10 via ${subnet.base.text} dev ${device} onlink proto 70`)
  const found = await harness.kernel.selectiveRoutes(4, signal)
  const route = { destination: subnet, gateway: subnet.base, linkIndex, protocol: '70' }
  expect(found.filter((one) => one.route.destination.text === subnet.text)).toMatchObject([{ route, only: 'tos 0x10' }])
  const forAll = await harness.kernel.routes(4, signal, { linkIndex })
  expect(forAll.filter(({ destination }) => destination.text === subnet.text)).toEqual([])
})
