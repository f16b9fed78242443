import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Datapath } from '../../../../src/agent/datapath/datapath.ts'
import { ChangesTask } from '../../../../src/agent/datapath/kernel-changes-task.ts'
import { runTogether } from '../../../../src/agent/runtime/task.ts'
import { allocBackend } from '../../../../src/backend/alloc/backend.ts'
import { WITHOUT_DEVICE, type Backend } from '../../../../src/backend/backend.ts'
import { DeviceError, type DeviceKeeper, type DeviceReport } from '../../../../src/backend/device-keeper.ts'
import { backendJudge, type EntriesByFamily } from '../../../../src/backend/judge.ts'
import type { PeerRouter, PeerRouterInput } from '../../../../src/backend/peer-router.ts'
import { ConfigError } from '../../../../src/config/error.ts'
import { chooseUnderlay } from '../../../../src/host/underlay/underlay.ts'
import { ROUTE_PROTOCOL } from '../../../../src/kernel/marks.ts'
import type { Underlay } from '../../../../src/kernel/underlay.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { NO_ENTRIES, NO_ROWS } from '../../../../src/reconcile/entries.ts'
import { AgentWorld } from '../../../fake/agent-world.ts'
import { runtime } from '../../../fake/runtime.ts'
import { leaseRecord, NO_CHOICE, NODE, OVERLAY, VXLAN } from '../../../fake/samples.ts'
import { judged } from '../../../fake/judges.ts'

/*
 * A backend of another kind: a device without link layer and with one route for the whole network. Peers are in a table of its own
 * and not in the kernel; leases name no type.
 */

const OWN = { overlay: OVERLAY, subnet: prefix('10.20.0.0/20') }

/** Device and peers of the other kind, in a made-up kernel. */
class Tunnel implements DeviceKeeper, PeerRouter {
  readonly name = 'tun7'
  readonly wantsOtherRoutes = false
  /** Subnet → where on the underlay. */
  readonly table = new Map<string, string>()
  readonly calls: string[] = []
  isPutOff = false
  problem: DeviceError | undefined
  refusal: ConfigError | undefined
  readonly #world: AgentWorld
  #setEntries: PeerRouterInput['setEntries'] = () => undefined
  readonly #keys = new Map<string, string>()

  constructor(world: AgentWorld) {
    this.#world = world
  }

  tend({ link }: Underlay): Promise<DeviceReport> {
    const { kernel } = this.#world
    const found = kernel.indexOf(this.name)
    this.calls.push(found === undefined ? 'made' : 'tended')
    const linkIndex = this.isPutOff ? undefined : (found ?? kernel.addCard(this.name, { kind: 'tun' }).index)
    const { problem } = this
    const hasChanged = found === undefined
    return Promise.resolve({
      linkIndex,
      hasChanged,
      mtu: link.mtu - 28,
      problem,
      foreignAddresses: [],
      postponed: undefined,
    })
  }

  dueInMs(): undefined {
    return undefined
  }

  check(): void {
    if (this.refusal !== undefined) throw this.refusal
  }

  configure(): void {
    this.calls.push('configured')
  }

  withdraw(): Promise<void> {
    this.calls.push('withdrawn')
    return Promise.resolve()
  }

  get peers(): number {
    return this.#keys.size
  }

  begin({ setEntries }: PeerRouterInput): this {
    this.#setEntries = setEntries
    return this
  }

  follow(): void {
    const route = {
      destination: OVERLAY.network,
      gateway: undefined,
      metric: 1,
      protocol: ROUTE_PROTOCOL,
      onlink: false,
    }
    this.#setEntries('the network', { onDevice: { ...NO_ROWS, routes: [route] }, onUnderlay: [] })
  }

  setPeer(key: string, peer: Parameters<PeerRouter['setPeer']>[1]): void {
    this.table.delete(this.#keys.get(key) ?? '')
    this.#keys.delete(key)
    if (peer === undefined) return
    this.#keys.set(key, peer.subnet.text)
    this.table.set(peer.subnet.text, peer.publicIp.text)
  }
}

let world: AgentWorld
let tunnel: Tunnel
let backend: Backend
let datapath: Datapath
let stop: AbortController
let running: Promise<void>
let mtu: number | undefined
let forwards: number

beforeEach(async () => {
  world = await AgentWorld.create()
  tunnel = new Tunnel(world)
  backend = {
    ...WITHOUT_DEVICE,
    leaseTypes: ['tun', ''],
    own: OWN,
    routesOn: 'device',
    reach: () => NO_ENTRIES,
    hasOneRoute: true,
    makeParts: (input) => ({ device: tunnel, router: tunnel.begin(input) }),
  }
  forwards = 0
  mtu = undefined
  stop = new AbortController()
  const { signal } = stop
  const ports = world.makePorts(NODE)
  const underlay = await chooseUnderlay(world.kernel, NO_CHOICE, { family: 4, leader: 4 }, signal)
  datapath = new Datapath({
    options: NO_CHOICE,
    ports,
    backend,
    formerSubnets: [],
    underlay,
    leader: 4,
    config: { overlays: [OWN.overlay] },
    readiness: { forwards: () => forwards++ },
    setMtu: (_, octets) => (mtu = octets),
    onUnderlay: () => undefined,
    gate: undefined,
  })
  datapath.allowPruning()
  running = runTogether(
    [new ChangesTask({ ports, followers: [datapath] }), ...datapath.tasks],
    runtime(world.clock, signal),
  )
  await world.advance(1_000)
})

afterEach(async () => {
  stop.abort()
  await running
  await world.close()
})

const routes = (): readonly string[] =>
  [...world.kernel.tables.routes.values()]
    .filter(({ linkIndex }) => linkIndex === world.kernel.indexOf(tunnel.name))
    .map(({ destination }) => destination.text)

describe('a backend that reaches nobody', () => {
  it('looks at no link, and leaves alone on the underlay what would be its own', async () => {
    stop.abort() // the other one would take it away
    await running
    const { signal } = (stop = new AbortController())
    const underlay = await chooseUnderlay(world.kernel, NO_CHOICE, { family: 4, leader: 4 }, signal)
    const { index: linkIndex } = underlay.link
    const left = { type: 'unicast', destination: prefix('10.40.0.0/20'), metric: 5, protocol: ROUTE_PROTOCOL } as const
    world.kernel.outside({ op: 'route.replace', ...left, linkIndex, gateway: ip('192.168.205.40') })
    const ports = world.makePorts(NODE)
    const alloc = new Datapath({
      ...{ options: NO_CHOICE, ports, backend: allocBackend(OWN), formerSubnets: [], underlay, leader: 4 },
      ...{ config: { overlays: [OWN.overlay] }, readiness: { forwards: () => forwards++ }, setMtu: () => undefined },
      ...{ onUnderlay: () => undefined, gate: undefined },
    })
    alloc.allowPruning()
    forwards = 0
    running = runTogether(alloc.tasks, runtime(world.clock, signal))
    await world.advance(2_000)
    expect([alloc.watchedLinks, forwards > 0]).toEqual([[], true])
    const there = [...world.kernel.tables.routes.values()].map(({ destination }) => destination.text)
    expect(there).toContain('10.40.0.0/20')
  })
})

describe('a backend with a device of another kind', () => {
  it('has its device made, tended when it is changed or gone, and its MTU passed on', async () => {
    expect(tunnel.calls[0]).toBe('made')
    tunnel.calls.length = 0
    expect([mtu, forwards > 0]).toEqual([1472, true])
    const linkIndex = world.kernel.indexOf(tunnel.name) ?? 0
    world.kernel.outside({ op: 'link.set', linkIndex, mtu: 1000 })
    await world.advance(1_000)
    expect(tunnel.calls).toEqual(['tended'])
    world.kernel.outside({ op: 'link.delete', linkIndex })
    await world.advance(1_000)
    expect(tunnel.calls.slice(0, 2)).toEqual(['tended', 'made'])
    expect(routes()).toEqual(['10.0.0.0/8'])
  })

  it('has what its router sets healed in the kernel, and nothing of its peers there', async () => {
    setPeer('10.30.0.0-20', '192.168.205.30')
    await world.advance(1_000)
    expect(routes()).toEqual(['10.0.0.0/8'])
    expect(world.rows()).toMatchObject({ neighbours: 0, fdb: 0 })
    const linkIndex = world.kernel.indexOf(tunnel.name) ?? 0
    const { destination, metric, protocol } = { destination: OVERLAY.network, metric: 1, protocol: ROUTE_PROTOCOL }
    world.kernel.outside({
      op: 'route.delete',
      type: 'unicast',
      destination,
      metric,
      protocol,
      linkIndex,
      gateway: undefined,
    })
    expect(routes()).toEqual([])
    await world.advance(1_000)
    expect(routes()).toEqual(['10.0.0.0/8'])
  })

  it('is told of each peer, with subnet and PublicIP', () => {
    setPeer('10.30.0.0-20', '192.168.205.30')
    setPeer('10.31.0.0-20', '192.168.205.31')
    setPeer('10.31.0.0-20', '192.168.205.32')
    expect(Object.fromEntries(tunnel.table)).toEqual({
      '10.30.0.0/20': '192.168.205.30',
      '10.31.0.0/20': '192.168.205.32',
    })
    datapath.setPeer('10.30.0.0-20', undefined)
    expect([...tunnel.table.keys()]).toEqual(['10.31.0.0/20'])
  })

  it('counts them as peers, and not what it has in the kernel', async () => {
    const counted = async (): Promise<unknown> => {
      datapath.wake()
      await world.advance(1_000)
      return world.status.readiness().body['peers']
    }
    expect(await counted()).toBe(0)
    setPeer('10.30.0.0-20', '192.168.205.30')
    setPeer('10.31.0.0-20', '192.168.205.31')
    expect(await counted()).toBe(2)
    datapath.setPeer('10.30.0.0-20', undefined)
    expect(await counted()).toBe(1)
  })

  it('is judged like any other: peers of its types alone, each with its own subnet and PublicIP', () => {
    const verdict = judge(leaseRecord('10.30.0.0-20', '{"PublicIP":"192.168.205.30"}'))
    expect(verdict).toMatchObject({ claims: { subnets: [prefix('10.30.0.0/20')], addresses: [ip('192.168.205.30')] } })
    const typed = (type: string): string => `{"PublicIP":"192.168.205.30","BackendType":"${type}"}`
    expect(judge(leaseRecord('10.30.0.0-20', typed('tun')))).toHaveProperty('accepted')
    expect(judge(leaseRecord('10.30.0.0-20', typed('vxlan')))).toEqual({ ignored: true })
  })

  it('follows a configuration that its device can follow, and refuses another before anything is changed', () => {
    datapath.check(VXLAN)
    datapath.configure(VXLAN)
    expect(tunnel.calls).toContain('configured')
    tunnel.refusal = new ConfigError('MTU of eth0', 'at least 96 octets', 90)
    expect(() => {
      datapath.check(VXLAN)
    }).toThrow(ConfigError)
  })

  it('is asked to give up what answers for a subnet that is lost', async () => {
    await datapath.withdraw(stop.signal)
    expect(tunnel.calls).toContain('withdrawn')
  })

  it('says once what its device has to do without, and leaves one alone whose making is put off', async () => {
    tunnel.problem = new DeviceError('tun7 cannot be this')
    for (let look = 0; look < 3; look++) {
      world.kernel.outside({ op: 'link.set', linkIndex: world.kernel.indexOf(tunnel.name) ?? 0, mtu: 1001 + look })
      await world.advance(1_000)
    }
    expect(world.logged(/tun7 cannot be this/)).toHaveLength(1)
    tunnel.isPutOff = true
    const { writes } = world.kernel.stats()
    world.kernel.outside({ op: 'link.delete', linkIndex: world.kernel.indexOf(tunnel.name) ?? 0 })
    await world.advance(1_000)
    expect([routes(), world.kernel.stats().writes]).toEqual([[], writes])
  })
})

const judge = (record: ReturnType<typeof leaseRecord>) =>
  judged(
    backendJudge({
      backends: [backend],
      ownKey: '10.20.0.0-20',
      limits: () => ({
        overlays: [OVERLAY],
        own: [OWN.subnet],
        interfaceOf: () => undefined,
        ownPublicIps: [],
        protectedPrefixes: [],
      }),
    }),
    record,
  )

function setPeer(key: string, publicIp: string): void {
  const verdict = judge(leaseRecord(key, JSON.stringify({ PublicIP: publicIp })))
  const entries: EntriesByFamily | undefined = 'accepted' in verdict ? verdict.accepted : undefined
  datapath.setPeer(key, entries)
}
