import { beforeEach, describe, expect, it } from 'vitest'
import { configuredUdp } from '../../../../src/backend/udp/backend.ts'
import { UdpDeviceKeeper } from '../../../../src/backend/udp/device-keeper.ts'
import { ForwardedPeers } from '../../../../src/backend/udp/forwarded-peers.ts'
import type { UdpConfig } from '../../../../src/config/backend.ts'
import { ConfigError } from '../../../../src/config/error.ts'
import type { LinkState } from '../../../../src/kernel/kernel.ts'
import type { Underlay } from '../../../../src/kernel/underlay.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { NO_ENTRIES, type PeerEntries } from '../../../../src/reconcile/entries.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import type { FakeForwarder } from '../../../fake/fake-tun.ts'
import { leaseRecord, OVERLAY, VXLAN } from '../../../fake/samples.ts'
import { judged } from '../../../fake/judges.ts'
import { backendJudge } from '../../../../src/backend/judge.ts'

const forever = new AbortController().signal
const CONFIG: UdpConfig = { type: 'udp', port: 8285 }
const OWN = { overlay: OVERLAY, subnet: prefix('10.20.0.0/20') }

let kernel: FakeKernel
let underlay: Underlay
let peers: ForwardedPeers
let keeper: UdpDeviceKeeper
let log: string[]
let settings: string[]
let entries: Map<string, PeerEntries | undefined>

beforeEach(() => {
  kernel = new FakeKernel()
  log = []
  settings = []
  entries = new Map()
  const link = kernel.addCard('eth0')
  const address = ip('192.168.205.10')
  underlay = { link, address, prefix: prefix('192.168.205.0/24'), gateways: [], publicIp: address }
  const say = (message: string) => void log.push(message)
  peers = new ForwardedPeers({ network: OVERLAY.network, setEntries: (key, wanted) => entries.set(key, wanted) })
  keeper = new UdpDeviceKeeper({
    ...{ own: OWN, config: CONFIG, peers },
    ports: {
      ...{ kernel, clock: new FakeClock(), random: () => 0.5 },
      log: { error: say, warn: say, info: say, debug: say },
      setSysctl: (name, value) => {
        settings.push(`${name.join('.')}=${value}`)
        return Promise.resolve()
      },
    },
  })
})

const tend = () => keeper.tend(underlay, forever)
const device = (): LinkState | undefined => [...kernel.tables.links.values()].find(({ name }) => name === keeper.name)
const addresses = (): readonly string[] =>
  [...kernel.tables.addresses.values()]
    .filter(({ linkIndex }) => linkIndex === device()?.index)
    .map((one) => `${one.ip.text}/${one.prefixLength}`)

function forwarder(): FakeForwarder {
  const last = kernel.tuns.at(-1)?.forwarders.at(-1)
  if (last === undefined) throw new Error('nobody forwards')
  return last
}

const peerAt = (subnet: string, publicIp: string) => ({
  ...NO_ENTRIES,
  ...{ subnet: prefix(subnet), publicIp: ip(publicIp), node: undefined },
})

describe('the keeper of a device whose packets the agent carries', () => {
  it('makes it, with whoever forwards, and says so; then leaves it alone', async () => {
    expect(await tend()).toMatchObject({ linkIndex: device()?.index, hasChanged: true, mtu: 1472, problem: undefined })
    expect(device()).toMatchObject({ name: 'flannel0', mtu: 1472, alias: 'flannel-agent', up: true })
    expect(addresses()).toEqual(['10.20.0.0/32'])
    expect(forwarder().settings).toEqual({ address: underlay.address, port: 8285, subnet: OWN.subnet, mtu: 1472 })
    expect(settings).toContain('net.ipv4.conf.flannel0.accept_local=1')
    expect(log).toEqual(['device created'])
    const { writes } = kernel.stats()
    expect(await tend()).toMatchObject({ hasChanged: false })
    expect([kernel.stats().writes, kernel.tuns.length, log.length]).toEqual([writes, 1, 1])
  })

  it('moves to another address of the underlay, and to another MTU, with the device that there is', async () => {
    await tend()
    const { index } = device() ?? {}
    const before = forwarder()
    underlay = { ...underlay, address: ip('192.168.205.11') }
    await tend()
    expect([before.isRunning, forwarder().isRunning]).toEqual([false, true])
    expect(forwarder().settings.address.text).toBe('192.168.205.11')
    underlay = { ...underlay, link: { ...underlay.link, mtu: 9_000 } }
    await tend()
    expect([forwarder().mtu, device()?.mtu, device()?.index]).toEqual([8_972, 8_972, index])
    underlay = { ...underlay, link: { ...underlay.link, mtu: 1_500 } }
    await tend()
    expect([forwarder().mtu, device()?.mtu]).toEqual([1_472, 1_472])
    expect(log.filter((line) => line.includes('from outside'))).toEqual([])
  })

  it('makes it anew when it was deleted or renamed, or whoever forwards has failed', async () => {
    await tend()
    kernel.outside({ op: 'link.delete', linkIndex: device()?.index ?? 0 })
    await tend()
    expect([kernel.tuns.length, device()?.up]).toEqual([2, true])
    const { index = 0 } = device() ?? {}
    const link = kernel.tables.links.get(index)
    if (link !== undefined) kernel.tables.links.set(index, { ...link, name: 'mine0' })
    await tend()
    expect([kernel.tuns.length, kernel.indexOf('mine0'), device()?.up]).toEqual([3, undefined, true])
    forwarder().hasFailed = 'EBADFD'
    await tend()
    expect([kernel.tuns.length, forwarder().isRunning]).toEqual([4, true])
  })

  it('has the device stay, without an address, while its port is taken', async () => {
    kernel.faults.refuseTun = (op) => (op === 'udp.bind' ? 'EADDRINUSE' : undefined)
    const words =
      'UDP port 8285 of 192.168.205.10, by which peers are reached, is taken by another program; stop it (ss'
    await expect(tend()).rejects.toThrow(words)
    const { index } = device() ?? {}
    await expect(tend()).rejects.toThrow(words)
    expect([device()?.index, device()?.up, addresses(), kernel.tuns.length]).toEqual([index, false, [], 1])
    expect(keeper.counts()).toMatchObject({ sent: { packets: 0 }, drops: {} })
    kernel.faults = {}
    await tend()
    expect([device()?.index, device()?.up]).toEqual([index, true])
  })

  it.each([
    ['ENOENT', '/dev/net/tun is not there: load the driver (modprobe tun)'],
    ['EISDIR', 'what stands at /dev/net/tun is not the TUN driver, but a folder'],
    ['ENOTTY', 'what stands at /dev/net/tun is not the TUN driver, but a file or another device'],
    ['ENXIO', 'the kernel makes no TUN devices: load the driver (modprobe tun)'],
    ['EPERM', 'a TUN device may not be made (EPERM): the agent needs CAP_NET_ADMIN'],
    ['EACCES', 'DeviceAllow=/dev/net/tun rw'],
    ['EMFILE', 'refused (EMFILE)'],
  ] as const)('names the cause and the cure where %s keeps it from being made', async (code, words) => {
    kernel.faults.refuseTun = () => code
    await expect(tend()).rejects.toThrow(words)
  })

  it('goes by the next name where somebody else has its own, and says so once', async () => {
    kernel.addCard('flannel0', { kind: 'bridge' })
    await tend()
    await tend()
    expect(keeper.name).toBe('flannel1')
    expect(log.filter((line) => line.includes('flannel0 exists that is not ours (bridge)'))).toHaveLength(1)
  })

  it.each(['end', 'withdraw'] as const)('has it go at the %s of the session, also where there is none', async (how) => {
    await keeper[how]()
    await tend()
    const running = forwarder()
    await keeper[how]()
    await keeper[how]()
    expect([device(), running.isRunning]).toEqual([undefined, false])
  })

  it('refuses an underlay that carries too little, and settings of another backend', async () => {
    underlay = { ...underlay, link: { ...underlay.link, mtu: 95 } }
    await expect(tend()).rejects.toThrow(ConfigError)
    expect(() => {
      keeper.check(CONFIG, underlay)
    }).toThrow('MTU of eth0: expected at least 96 octets: 68 for IPv4 and 28 for UDP around it, found 95')
    expect(() => {
      keeper.configure(VXLAN)
    }).toThrow(TypeError)
  })
})

describe('the peers of a forwarder', () => {
  it('are handed over in one step when several come at one time, and again to who forwards next', async () => {
    await tend()
    const first = forwarder()
    let handed = 0
    const setPeers = first.setPeers.bind(first)
    first.setPeers = (rows) => {
      handed++
      setPeers(rows)
    }
    peers.setPeer('a', peerAt('10.1.0.0/20', '192.168.205.1'))
    peers.setPeer('b', peerAt('10.2.0.0/20', '192.168.205.2'))
    peers.setPeer('a', peerAt('10.1.0.0/20', '192.168.205.3'))
    expect([...peers.rowsOf('a')]).toMatchObject([{ isInKernel: false }])
    await Promise.resolve()
    expect([handed, first.peers.map(({ publicIp }) => publicIp.text)]).toEqual([1, ['192.168.205.3', '192.168.205.2']])
    const row = 'forwarder 10.1.0.0/20 to 192.168.205.3'
    expect([...peers.rowsOf('a')]).toEqual([{ table: 'forwarder', row, isInKernel: true }])
    kernel.outside({ op: 'link.delete', linkIndex: device()?.index ?? 0 })
    await tend()
    expect(forwarder().peers).toHaveLength(2)
    peers.setPeer('a', undefined)
    await Promise.resolve()
    expect([forwarder().peers.length, peers.peers, [...peers.rowsOf('a')]]).toEqual([1, 1, []])
  })

  it('are told apart by what they were sent, whoever of them comes or goes', async () => {
    expect(peers.traffic()).toBeUndefined()
    await tend()
    for (const [key, at] of [['a', 1] as const, ['b', 2] as const, ['c', 3] as const])
      peers.setPeer(key, peerAt(`10.${at}.0.0/20`, `192.168.205.${at}`))
    await Promise.resolve()
    forwarder().sentTo.set('192.168.205.3', 7)
    const sent = (): unknown => [...(peers.traffic() ?? [])].map(([key, one]) => [key, one.sent.packets])
    expect(sent()).toEqual([['a', 0] as const, ['b', 0] as const, ['c', 7] as const])
    peers.setPeer('a', undefined)
    expect(sent()).toEqual([['a', 0] as const, ['b', 0] as const, ['c', 7] as const])
    await Promise.resolve()
    expect(sent()).toEqual([['b', 0] as const, ['c', 7] as const])
  })

  it('need one route of the kernel, to the whole network, whoever they are', () => {
    const wanted = [...entries].map(([, found]) => found?.onDevice.routes.map(({ destination }) => destination.text))
    expect(wanted).toEqual([[OVERLAY.network.text]])
  })

  it('are those whose leases name udp or nothing; others are told of, and left alone', () => {
    const foreign: string[] = []
    const configured = configuredUdp(CONFIG)
    const part = { family: 4, subnet: OWN.subnet, publicIp: underlay.publicIp, backendData: undefined } as const
    const backend = configured.begin(OWN, part)
    expect([configured.leaseType, backend.publish(undefined)]).toEqual(['', undefined])
    const judge = backendJudge({
      ...{ backends: [backend], ownKey: '10.20.0.0-20', onForeign: (type) => void foreign.push(type) },
      limits: () => ({
        ...{ overlays: [OVERLAY], own: [OWN.subnet], interfaceOf: () => undefined },
        ...{ ownPublicIps: [], protectedPrefixes: [] },
      }),
    })
    const verdict = (more: object) =>
      judged(judge, leaseRecord('10.30.0.0-20', JSON.stringify({ PublicIP: '192.168.205.30', ...more })))
    expect(verdict({})).toMatchObject({ accepted: new Map([[4, { publicIp: ip('192.168.205.30') }]]) })
    expect(verdict({ BackendType: 'udp' })).toHaveProperty('accepted')
    expect([verdict({ BackendType: 'vxlan' }), foreign]).toEqual([{ ignored: true }, ['vxlan']])
  })
})
