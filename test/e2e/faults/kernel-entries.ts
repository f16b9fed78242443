import type { LabHost } from '../../lab/index.ts'
import { DEVICE } from '../../lab/use-lab.ts'
import { RUNNING, RUNNING_OR_DOWN, type Fault, type MomentName, type Scene } from './table.ts'

/** The three entries of one peer, as they stand in the kernel. */
interface Victim {
  readonly base: string
  readonly mac: string
  readonly remote: string
  readonly subnet: string
  readonly metric: number
}

/** The first peer in the tables. */
async function victimOn(host: LabHost): Promise<Victim> {
  const { neighbours, fdb, routes } = await host.peerTables(DEVICE)
  const neighbour = neighbours[0]
  const entry = fdb.find(({ mac }) => mac === neighbour?.mac)
  const route = routes.find(({ gateway }) => gateway === neighbour?.address)
  if (!neighbour || !entry || !route) throw new Error(`${host.name} has no complete peer`)
  const { metric, destination } = route
  return { base: neighbour.address, mac: entry.mac, remote: entry.remote, subnet: destination, metric }
}

const shell =
  (script: string) =>
  ({ host }: Scene): Promise<string> =>
    host.place.exec('sh', ['-ec', script])

const onVictim =
  (script: (victim: Victim) => string) =>
  async ({ host }: Scene): Promise<string> =>
    host.place.exec('sh', ['-ec', script(await victimOn(host))])

const onlink = ({ subnet, base, metric }: Victim): string =>
  `${subnet} via ${base} dev ${DEVICE} onlink metric ${metric}`

const FLUSH_NEIGHBOURS = `ip neighbour flush nud all dev ${DEVICE}`
const FLUSH_ROUTES = `ip route flush dev ${DEVICE} proto 70`
const FLUSH_FDB = `bridge fdb show dev ${DEVICE} | sed -n 's/^\\(\\S*\\) dst .*/fdb delete \\1 dev ${DEVICE}/p' | bridge -batch -`
/** Every entry of every peer, at once. */
export const FLUSH_ALL = `${FLUSH_NEIGHBOURS}; ${FLUSH_FDB}; ${FLUSH_ROUTES}`

const OTHER_MAC = '82:00:00:00:00:99'

/** With an agent that hears of it, and with one that finds it. */
const ALTERED: readonly MomentName[] = ['while containers ping each other', 'while the agent is down']

/** Somebody writes the victim's route again, as it is but for one thing. */
const rewritten =
  (addition: (host: LabHost) => string): Fault['inflict'] =>
  async ({ host }) =>
    host.place.exec('sh', ['-ec', `ip route replace ${onlink(await victimOn(host))} proto 70 ${addition(host)}`])

const NEIGHBOURS: readonly Fault[] = [
  {
    fault: 'a deleted neighbour',
    users: 'packets to one peer wait for an address that nobody resolves',
    moments: RUNNING,
    inflict: onVictim(({ base }) => `ip neighbour delete ${base} dev ${DEVICE}`),
  },
  {
    fault: 'an altered neighbour',
    users: 'packets to one peer carry a MAC that it drops',
    moments: RUNNING,
    inflict: onVictim(({ base }) => `ip neighbour replace ${base} lladdr ${OTHER_MAC} dev ${DEVICE} nud permanent`),
  },
  {
    fault: 'a neighbour made temporary',
    users: 'nothing, until the kernel would forget the entry',
    moments: RUNNING,
    inflict: onVictim(({ base, mac }) => `ip neighbour replace ${base} lladdr ${mac} dev ${DEVICE} nud reachable`),
  },
  {
    fault: 'flushed neighbours',
    users: 'packets to no peer leave the host',
    moments: RUNNING_OR_DOWN,
    inflict: shell(FLUSH_NEIGHBOURS),
  },
]

const FDB: readonly Fault[] = [
  {
    fault: 'a deleted fdb entry',
    users: 'packets to one peer are dropped',
    moments: RUNNING,
    inflict: onVictim(({ mac }) => `bridge fdb delete ${mac} dev ${DEVICE}`),
  },
  {
    fault: 'an altered fdb entry',
    users: 'packets to one peer go to another machine',
    moments: RUNNING,
    inflict: onVictim(({ mac }) => `bridge fdb replace ${mac} dev ${DEVICE} dst 192.168.205.99`),
  },
  {
    fault: 'an fdb entry with another port and VNI',
    users: 'packets to one peer go to another overlay, or to nobody',
    moments: ALTERED,
    inflict: onVictim(
      ({ mac, remote }) => `bridge fdb replace ${mac} dev ${DEVICE} dst ${remote} port 4789 vni 7 self permanent`,
    ),
  },
  {
    fault: 'flushed fdb entries',
    users: 'packets to every peer are dropped',
    moments: RUNNING_OR_DOWN,
    inflict: shell(FLUSH_FDB),
  },
]

const ROUTES: readonly Fault[] = [
  {
    fault: 'a deleted route',
    users: 'packets to one peer leave by the default route',
    moments: RUNNING,
    inflict: onVictim((victim) => `ip route delete ${onlink(victim)}`),
  },
  {
    fault: 'an altered route',
    users: 'packets to one peer wait for an address that nobody resolves',
    moments: RUNNING,
    inflict: onVictim(({ subnet, metric }) => `ip route replace ${subnet} dev ${DEVICE} proto static metric ${metric}`),
  },
  {
    fault: 'a route with a source address',
    users: 'packets from the host itself to one peer come from the address of the underlay',
    moments: ALTERED,
    inflict: rewritten(({ address }) => `src ${address}`),
  },
  {
    fault: 'a route with an MTU',
    users: 'packets to one peer are fragmented or refused',
    moments: ALTERED,
    inflict: rewritten(() => 'mtu 600'),
  },
  {
    fault: 'a route with a second next hop',
    users: 'half of the connections to one peer leave by the underlay',
    moments: ALTERED,
    inflict: onVictim(
      ({ subnet, base, metric }) =>
        `ip route replace ${subnet} metric ${metric} proto 70 nexthop via ${base} dev ${DEVICE} onlink nexthop dev eth0`,
    ),
  },
  {
    fault: 'a blackhole in place of a route',
    users: 'packets to one peer are dropped',
    moments: ALTERED,
    inflict: onVictim(({ subnet, metric }) => `ip route replace blackhole ${subnet} metric ${metric}`),
  },
  {
    fault: 'a route to another interface in place of ours',
    users: 'packets to one peer leave by the underlay',
    moments: ALTERED,
    inflict: onVictim(({ subnet, metric }) => `ip route replace ${subnet} dev eth0 metric ${metric}`),
  },
  {
    fault: 'flushed routes',
    users: 'packets to every peer leave by the default route',
    moments: RUNNING_OR_DOWN,
    inflict: shell(FLUSH_ROUTES),
  },
]

/** Entries in the three tables that somebody deletes or alters. */
export const ENTRY_FAULTS: readonly Fault[] = [
  ...NEIGHBOURS,
  ...FDB,
  ...ROUTES,
  { fault: 'all three tables flushed', users: 'no peer is reached', inflict: shell(FLUSH_ALL) },
  {
    fault: 'entries for a peer that nobody knows',
    users: 'packets to a subnet that no lease stands for are sent to a machine that drops them',
    outcome: 'removed, foreign ones left',
    inflict: shell(`
      ip neighbour add 10.251.0.0 lladdr ${OTHER_MAC} dev ${DEVICE} nud permanent
      bridge fdb append ${OTHER_MAC} dev ${DEVICE} dst 192.168.205.99
      ip route add 10.251.0.0/20 via 10.251.0.0 dev ${DEVICE} onlink proto 70 metric 70`),
  },
]
