import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { DaemonOptions } from '../../../src/config/options.ts'
import { ip } from '../../../src/net/ip.ts'
import { FakeLeaseStore } from '../../fake/fake-lease-store.ts'
import { AgentWorld, CONFIG, upstreamLease } from '../../fake/agent-world.ts'

let world: AgentWorld

beforeEach(async () => {
  world = await AgentWorld.create()
})

afterEach(async () => {
  await world.close()
})

const PEERS = ['10.1.0.0-20', '10.2.0.0-20', '10.3.0.0-20', '10.4.0.0-20']

/** An agent that has programmed four upstream peers. */
async function startWithPeers(options: Partial<DaemonOptions> = {}): Promise<void> {
  world.etcd.putConfig(CONFIG)
  PEERS.forEach((key, at) => world.etcd.put(key, upstreamLease(at + 20)))
  await startToEnd(options)
}

/** Starts the agent and waits until it has nothing left to do. */
async function startToEnd(options: Partial<DaemonOptions> = {}): Promise<void> {
  await world.start(options)
  await world.until('forwarding', () => world.forwards())
  await world.until('subnet file', async () => (await world.readSubnetFile()) !== undefined)
}

const ownKey = (): string => world.etcd.records.map(({ key }) => key).find((key) => !PEERS.includes(key)) ?? ''

describe('starting', () => {
  test('with store and subnet file lost, takes the subnet of the bridge that containers are on', async () => {
    const bridge = world.kernel.addCard('docker0', { kind: 'bridge' })
    world.kernel.outside({ op: 'address.add', linkIndex: bridge.index, ip: ip('10.77.16.1'), prefixLength: 20 })
    world.etcd.putConfig(CONFIG)
    await startToEnd()
    expect(world.subnet).toBe('10.77.16.0/20')
    expect(world.logged(/must move/)).toEqual([])
  })

  test('without the right to change the network leases nothing and ends, but for a backend that needs none', async () => {
    world.kernel.faults.lacksRights = true
    world.etcd.putConfig(CONFIG)
    await world.start()
    await world.until('the end', () => world.failure !== undefined)
    await expect(world.stop()).rejects.toThrow(/CAP_NET_ADMIN/)
    expect(world.etcd.records).toEqual([])
    world.etcd.putConfig(CONFIG.replace('vxlan', 'alloc'))
    await startToEnd()
    expect(world.etcd.records).toHaveLength(1)
  })

  test('waits for the configuration, says what is missing once, and goes on when it is there', async () => {
    await world.start()
    await world.until('failure', () => world.fails('network configuration'))
    await world.advance(5_000)
    expect(world.logged(/warn/)).toEqual([
      "warn network configuration: /coreos.com/network/config: expected the network configuration, as JSON, among the keys of etcd's API v3 (etcdctl put and get with ETCDCTL_API=3; set and ls are of v2, whose keys are others), found nothing; retrying every few seconds",
    ])
    world.etcd.putConfig('rubbish')
    await world.advance(4_000)
    expect(world.logged(/warn network configuration: \/coreos.com\/network\/config: expected valid JSON/)).toHaveLength(
      1,
    )
    world.etcd.putConfig('{"SubnetLen":20}')
    await world.advance(4_000)
    expect(world.logged(/warn network configuration: Network: /)).toHaveLength(1)
    world.etcd.putConfig(CONFIG)
    await world.advance(4_000)
    await world.until('forwarding', () => world.forwards())
  })

  test('takes a configuration that is not quite JSON, also while it runs, and says once for each that others refuse it', async () => {
    const text = CONFIG.trim()
    world.etcd.putConfig(`\uFEFF${text}`)
    await startToEnd()
    const forMark =
      /warn .* is taken as it is meant, .*upstream's flanneld among them, refuse it for a byte order mark$/
    expect(world.logged(forMark)).toHaveLength(1)
    world.etcd.putConfig(text.replace(/\}$/, ',"EnableNFTables":true,}'))
    await world.advance(5_000)
    expect(world.logged(/info EnableNFTables changed/)).toHaveLength(1)
    expect(world.logged(/warn .* refuse it for a comma too many$/)).toHaveLength(1)
    expect(world.fails('network configuration')).toBe(false)
    expect(world.logged(/refuse it for/)).toHaveLength(2)
  })

  test('waits for etcd', async () => {
    world.etcd.putConfig(CONFIG)
    world.store.disconnect()
    await world.start()
    await world.until('failure', () => world.fails('network configuration'))
    await world.advance(3_000)
    expect(world.kernel.indexOf('flannel.100')).toBeUndefined()
    world.store.reconnect()
    await world.advance(4_000)
    await world.until('subnet file', async () => (await world.readSubnetFile())?.includes('10.0.0.0/8') === true)
  })

  test('asks etcd over a new connection when the underlay has another address after a failed attempt', async () => {
    world.etcd.putConfig(CONFIG)
    world.store.failNext('list', { code: 'UNAVAILABLE' })
    const refresh = vi.spyOn(world.store, 'refreshConnections')
    await world.start()
    await world.until('failure', () => world.fails('lease', /^list: .*UNAVAILABLE/))
    expect(refresh).not.toHaveBeenCalled()
    const address = { linkIndex: world.kernel.indexOf('eth0') ?? 0, prefixLength: 24 } as const
    world.kernel.outside({ op: 'address.add', ...address, ip: ip('192.168.205.77') })
    world.kernel.outside({ op: 'address.delete', ...address, ip: ip('192.168.205.10') })
    await world.advance(4_000)
    await world.until('lease', () => world.etcd.records.some(({ value }) => value.includes('192.168.205.77')))
    expect(refresh).toHaveBeenCalledOnce()
  })

  test('asks etcd over a new connection when the underlay has another address under a lease', async () => {
    await startWithPeers()
    const refresh = vi.spyOn(world.store, 'refreshConnections')
    const address = { linkIndex: world.kernel.indexOf('eth0') ?? 0, prefixLength: 24 } as const
    world.kernel.outside({ op: 'address.add', ...address, ip: ip('192.168.205.77') })
    world.kernel.outside({ op: 'address.delete', ...address, ip: ip('192.168.205.10') })
    await world.advance(60_000)
    await world.until('lease', () => world.etcd.records.some(({ value }) => value.includes('192.168.205.77')))
    expect(refresh).toHaveBeenCalledOnce()
  })

  test('writes the subnet file only when every peer is programmed', async () => {
    let filesBefore: Promise<string | undefined> | undefined
    world.kernel.faults.refuse = (op) => {
      if (op.op === 'route.replace') filesBefore ??= world.readSubnetFile()
      return undefined
    }
    await startWithPeers()
    expect(await filesBefore).toBeUndefined()
    expect(world.rows()).toEqual({ neighbours: 4, fdb: 4, routes: 4 })
    expect(await world.readSubnetFile()).toMatch(
      /^FLANNEL_NETWORK=10.0.0.0\/8\nFLANNEL_SUBNET=10\.\d+\.\d+\.1\/20\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n$/,
    )
  })

  test('says by what it goes: underlay, configuration and lease', async () => {
    await startWithPeers()
    for (const fields of [
      /^info .* iface=eth0 address=192\.168\.205\.10 publicIp=192\.168\.205\.10 mtu=1500$/,
      /^info .* network=10\.0\.0\.0\/8 subnetLen=20 backend=vxlan vni=100 port=8472$/,
      /^info lease .* subnet=10\.\d+\.\d+\.0-20 peers=4$/,
      /^info .* peers=4 rejected=0 written=12 erased=0 failed=0 kernelWrites=\d+$/,
    ])
      expect(world.logged(fields)).toHaveLength(1)
  })

  test('with a peer filter lets in who is a peer, for as long as that lasts', async () => {
    await startWithPeers({ peerFilter: true })
    const addresses = [20, 21, 22, 23].map((host) => `192.168.205.${host}`)
    expect([...(world.peerFilter.peers ?? [])].sort()).toEqual(addresses)
    world.etcd.delete(PEERS[0] ?? '')
    await world.advance(10_000)
    expect([...(world.peerFilter.peers ?? [])].sort()).toEqual(addresses.slice(1))
    expect(world.forwards()).toBe(true)
  })

  test('over an unchanged kernel and etcd writes to neither', async () => {
    await startWithPeers()
    await world.stop()
    const [kernelWrites, storeWrites] = [world.kernel.stats().writes, world.store.writes.length]
    await startToEnd()
    expect(world.kernel.stats().writes).toBe(kernelWrites)
    expect(world.store.writes).toHaveLength(storeWrites)
    expect(world.logged(/info lease kept .* peers=4$/)).toHaveLength(1)
  })

  test('stops without failure while it waits for etcd', async () => {
    world.store.disconnect()
    await world.start()
    await world.until('failure', () => world.fails('network configuration'))
    await expect(world.stop()).resolves.toBeUndefined()
    expect(world.clock.sleeping).toBe(0)
  })
})

describe('stopping', () => {
  test('leaves device and entries in place and nothing running', async () => {
    await startWithPeers()
    await world.stop()
    expect(world.rows()).toEqual({ neighbours: 4, fdb: 4, routes: 4 })
    expect(world.clock.sleeping).toBe(0)
    expect(world.store.watchCount).toBe(0)
  })
})

describe('own lease', () => {
  test('deleted by somebody: published again with the same subnet, datapath untouched', async () => {
    await startWithPeers()
    const [key, writes] = [ownKey(), world.kernel.stats().writes]
    world.etcd.delete(key)
    await world.until('published again', () => ownKey() === key)
    expect(world.kernel.stats().writes).toBe(writes)
  })

  test('taken by another node: never overwritten; another subnet is acquired and written down', async () => {
    await startWithPeers()
    const key = ownKey()
    const taken = upstreamLease(99)
    world.etcd.put(key, taken)
    const newLease = () => world.etcd.records.find((record) => record.value.includes('a'.repeat(32)))
    await world.until('new lease', () => newLease() !== undefined)
    expect(newLease()?.key).not.toBe(key)
    expect(world.etcd.get(key)?.value).toBe(taken)
    const address = newLease()?.key.replace(/0-20$/, '1/20') ?? '-'
    await world.until('new subnet file', async () => (await world.readSubnetFile())?.includes(address) === true)
    expect(world.logged(/error .*containers must move/)).toHaveLength(1)
    expect(world.rows()).toEqual({ neighbours: 5, fdb: 5, routes: 5 })
  })

  test('follows the address of the underlay', async () => {
    await startWithPeers()
    const { kernel } = world
    const linkIndex = kernel.indexOf('eth0') ?? 0
    const address = { linkIndex, prefixLength: 24 } as const
    kernel.outside({ op: 'address.add', ...address, ip: ip('192.168.205.77') })
    kernel.outside({ op: 'address.delete', ...address, ip: ip('192.168.205.10') })
    await world.advance(4_000)
    await world.until('address published', () => world.etcd.get(ownKey())?.value.includes('192.168.205.77') === true)
    await world.advance(1_000)
    expect((await kernel.link('flannel.100', new AbortController().signal))?.vxlan?.local?.text).toBe('192.168.205.77')
    expect(world.rows()).toEqual({ neighbours: 4, fdb: 4, routes: 4 })
  })
})

describe('etcd wiped', () => {
  test('keeps the peers for five minutes, publishes its own lease again, and gives up who does not come back', async () => {
    await startWithPeers()
    const key = ownKey()
    world.etcd.wipe()
    await world.advance(10_000)
    expect(world.etcd.records.map((record) => record.key)).toEqual([key])
    expect(world.rows()).toEqual({ neighbours: 4, fdb: 4, routes: 4 })
    world.etcd.put('10.1.0.0-20', upstreamLease(20))
    await world.advance(295_000)
    expect(world.rows()).toEqual({ neighbours: 1, fdb: 1, routes: 1 })
    expect(world.logged(/warn peers did not publish themselves again; giving them up peers=3/)).toHaveLength(1)
  })
})

describe('proof of life', () => {
  const OTHER = { id: 'b'.repeat(32), hostname: 'host2', instance: 'another' }
  const noSignal = new AbortController().signal

  test('is given to whoever asks about our lease, for as long as the agent runs', async () => {
    await startWithPeers()
    const asking = new FakeLeaseStore(world.etcd, world.clock)
    expect(await asking.ask(ownKey(), OTHER, 10_000, noSignal)).toMatchObject({ hostname: 'host1' })
    await world.stop()
    const answer = asking.ask(ownKey(), OTHER, 10_000, noSignal)
    await world.advance(10_000)
    expect(await answer).toBeUndefined()
  })

  test('is not given for a lease that was lost to another node', async () => {
    await startWithPeers()
    const key = ownKey()
    world.etcd.put(key, upstreamLease(99))
    await world.until('new lease', () => ![undefined, key.replace('-', '/')].includes(world.subnet))
    const answer = new FakeLeaseStore(world.etcd, world.clock).ask(key, OTHER, 10_000, noSignal)
    await world.advance(10_000)
    expect(await answer).toBeUndefined()
  })

  test('keeps a second node from a PublicIP that is in use; it says what else there is, and takes over from the dead', async () => {
    await startWithPeers()
    const second = await AgentWorld.create(world.etcd)
    try {
      await second.start({}, { id: 'b'.repeat(32), hostname: 'host2' })
      await second.until('refusal', () => second.fails('lease', /PublicIP 192.168.205.10 is in use/))
      expect(second.logged(/in use/)[0]).toMatch(/host1.*candidates: eth0 \(192.168.205.10\).*every ten seconds/)
      await second.advance(30_000)
      expect(second.logged(/in use/)).toHaveLength(1)
      await world.stop()
      await second.advance(60_000)
      await second.until('forwarding', () => second.forwards())
      expect(second.rows()).toEqual({ neighbours: 4, fdb: 4, routes: 4 })
    } finally {
      await second.close()
    }
  })
})

describe('a peer whose lease is deleted', () => {
  test('is kept for half a second, so that one that publishes itself again costs no write', async () => {
    await startWithPeers()
    const writes = world.kernel.stats().writes
    world.etcd.delete('10.1.0.0-20')
    await world.advance(400)
    expect(world.rows()).toEqual({ neighbours: 4, fdb: 4, routes: 4 })
    world.etcd.put('10.1.0.0-20', upstreamLease(20))
    await world.advance(10_000)
    expect(world.rows()).toEqual({ neighbours: 4, fdb: 4, routes: 4 })
    expect(world.kernel.stats().writes).toBe(writes)
  })

  test('is gone after that', async () => {
    await startWithPeers()
    world.etcd.delete('10.1.0.0-20')
    await world.advance(600)
    expect(world.rows()).toEqual({ neighbours: 3, fdb: 3, routes: 3 })
    expect(world.logged(/giving them up/)).toEqual([])
  })

  test('gives way at once to one that has what it had', async () => {
    await startWithPeers()
    world.etcd.delete('10.1.0.0-20')
    world.etcd.put('10.5.0.0-20', upstreamLease(20))
    await world.advance(100)
    const routes = [...world.kernel.tables.routes.values()].map(({ destination }) => destination.text)
    expect(routes).toContain('10.5.0.0/20')
    expect(routes).not.toContain('10.1.0.0/20')
  })
})

describe('most leases deleted at once', () => {
  test('are taken for a fault of etcd: the peers are kept until they publish themselves again, or for five minutes', async () => {
    world.etcd.putConfig(CONFIG)
    const etcdLeaseId = world.etcd.grant(3_600)
    PEERS.forEach((key, at) => world.etcd.put(key, upstreamLease(at + 20), etcdLeaseId))
    await startToEnd()
    world.etcd.revoke(etcdLeaseId)
    world.etcd.put('10.1.0.0-20', upstreamLease(20))
    await world.advance(295_000)
    expect(world.rows()).toEqual({ neighbours: 4, fdb: 4, routes: 4 })
    expect(world.logged(/error the store has lost leases of peers.* peers=4 seconds=300/)).toHaveLength(1)
    await world.advance(10_000)
    expect(world.rows()).toEqual({ neighbours: 1, fdb: 1, routes: 1 })
  })
})

describe('rubbish deleted at once', () => {
  test('is no loss of peers', async () => {
    world.etcd.putConfig(CONFIG)
    const etcdLeaseId = world.etcd.grant(3_600)
    PEERS.forEach((key, at) => world.etcd.put(key, upstreamLease(at + 20)))
    for (let at = 0; at < 20; at++) world.etcd.put(`10.${at + 50}.0.0-20`, 'rubbish', etcdLeaseId)
    await startToEnd()
    world.etcd.revoke(etcdLeaseId)
    await world.advance(10_000)
    expect(world.logged(/the store has lost leases/)).toEqual([])
    expect(world.rows()).toEqual({ neighbours: 4, fdb: 4, routes: 4 })
  })

  test('together with most peers does not count as peers, nor hide them', async () => {
    world.etcd.putConfig(CONFIG)
    const etcdLeaseId = world.etcd.grant(3_600)
    PEERS.forEach((key, at) => world.etcd.put(key, upstreamLease(at + 20), etcdLeaseId))
    for (let at = 0; at < 20; at++) world.etcd.put(`10.${at + 50}.0.0-20`, 'rubbish')
    world.etcd.put('10.99.0.0-20', 'rubbish', etcdLeaseId)
    await startToEnd()
    world.etcd.revoke(etcdLeaseId)
    await world.advance(10_000)
    expect(world.logged(/error the store has lost leases of peers.* peers=4 seconds=300/)).toHaveLength(1)
    expect(world.rows()).toEqual({ neighbours: 4, fdb: 4, routes: 4 })
  })
})

describe('a lease that vanishes', () => {
  test('between its creation and the list that confirms it is published again', async () => {
    world.etcd.putConfig(CONFIG)
    PEERS.forEach((key, at) => world.etcd.put(key, upstreamLease(at + 20)))
    const list = world.store.list.bind(world.store)
    let lists = 0
    world.store.list = (signal) => {
      if (++lists === 2) world.etcd.delete(ownKey())
      return list(signal)
    }
    await startToEnd()
    await world.advance(5_000)
    const subnet = (await world.readSubnetFile())?.match(/FLANNEL_SUBNET=(.*)1\/20/)?.[1] ?? '-'
    expect(ownKey()).toBe(`${subnet}0-20`)
  })
})

describe('lease after lease taken by somebody', () => {
  test('is replaced after ever longer pauses, which is said once', async () => {
    await startWithPeers()
    const mine = (): string | undefined => world.etcd.records.find(({ value }) => value.includes('a'.repeat(32)))?.key
    for (const atLeastMs of [0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]) {
      const [beganMs, subnet] = [world.clock.monotonicMs(), world.subnet]
      world.etcd.put(mine() ?? '', upstreamLease(99))
      await world.until('lost', () => world.subnet !== subnet)
      await world.until('another', async () => {
        await world.advance(200)
        return mine() !== undefined
      })
      expect(world.clock.monotonicMs() - beganMs).toBeGreaterThanOrEqual(atLeastMs)
    }
    expect(world.logged(/one lease after the other is lost/)).toHaveLength(1)
  })
})

describe('an interface that comes and goes', () => {
  test('is a pair of lines a minute, and the last word is true', async () => {
    await startWithPeers()
    const { kernel } = world
    const address = { linkIndex: kernel.indexOf('eth0') ?? 0, prefixLength: 24, ip: ip('192.168.205.10') } as const
    const before = world.log.length
    for (let turn = 0; turn < 20; turn++) {
      kernel.outside({ op: 'address.delete', ...address })
      await world.advance(1_500)
      kernel.outside({ op: 'address.add', ...address })
      await world.advance(1_500)
    }
    expect(world.log.slice(before).filter((line) => !line.startsWith('debug')).length).toBeLessThanOrEqual(4)
    kernel.outside({ op: 'address.delete', ...address })
    await world.advance(61_000)
    expect(world.logged(/is gone from the underlay/).length).toBe(2)
    expect(world.logged(/is gone from|is back on/).at(-1)).toMatch(/is gone/)
  })
})

describe('--stale-peer-grace=0', () => {
  test('keeps nobody whom etcd has lost', async () => {
    world.etcd.putConfig(CONFIG)
    PEERS.forEach((key, at) => world.etcd.put(key, upstreamLease(at + 20)))
    await world.start({ stalePeerGraceMs: 0 })
    await world.until('forwarding', () => world.forwards())
    world.etcd.wipe()
    await world.advance(5_000)
    expect(world.rows()).toEqual({ neighbours: 0, fdb: 0, routes: 0 })
    expect(world.logged(/error the store has lost leases of peers; giving them up, as configured peers=/)).toHaveLength(
      1,
    )
  })
})

describe('--subnet-lease-renew-margin', () => {
  test.each([
    [60, 9, 1],
    [1_430, 1, 12],
  ])(
    '%i minutes: the lease of a day is renewed in %i h %i times, and its key never written again',
    async (margin, hours, times) => {
      await startWithPeers({ renewMarginMs: margin * 60_000, firewallResyncMs: 86_400_000 })
      const before = world.etcd.records.filter(({ key }) => key === ownKey())
      const renewals = (): number => world.store.calls.filter(({ op }) => op === 'keepAlive').length
      const atStart = renewals()
      await world.advance(hours * 3_600_000)
      expect(renewals()).toBe(atStart + times)
      expect(world.etcd.records.filter(({ key }) => key === ownKey())).toEqual(before)
    },
  )
})

describe('--iptables-resync', () => {
  test.each([1, 60])('%i s: so often the rules are looked at', async (seconds) => {
    await startWithPeers({ firewallResyncMs: seconds * 1_000 })
    const { looks } = world.firewall
    await world.advance(seconds * 10_000)
    expect(world.firewall.looks - looks).toBe(10)
  })
})

describe('a peer that the kernel refuses', () => {
  test('is named for as long as it is refused, and the node stays ready; so it is for one of several, not for all', async () => {
    let isRefused = (text: string): boolean => text === '10.1.0.0/20'
    world.kernel.faults.refuse = (op) =>
      op.op === 'route.replace' && isRefused(op.destination.text) ? 'ENETUNREACH' : undefined
    await startWithPeers()
    await world.advance(300_000)
    expect(world.status.state).toMatchObject({
      ready: true,
      degraded: [/^peers of IPv4: 1 of 4 .*: 10\.1\.0\.0-20 \(/],
    })
    isRefused = () => false
    await world.advance(75_000)
    expect(world.status.state).toEqual({ ready: true, startable: true, reasons: [], degraded: [] })
    isRefused = () => true
    const index = world.kernel.indexOf('flannel.100') ?? 0
    for (const { destination, gateway, metric, protocol } of [...world.kernel.tables.routes.values()])
      world.kernel.outside({
        op: 'route.delete',
        type: 'unicast',
        linkIndex: index,
        destination,
        gateway,
        metric,
        protocol,
      })
    await world.advance(60_000)
    expect(world.status.state).toMatchObject({ ready: false, reasons: [/^tables of IPv4: 4 entries/] })
  })
})

describe('a peer rejected for what is around us', () => {
  test('is one that publishes an address of another interface of ours, for as long as we have it', async () => {
    const { index } = world.kernel.addCard('nat0')
    const nat = { linkIndex: index, ip: ip('10.0.2.15'), prefixLength: 24 }
    world.kernel.outside({ op: 'address.add', ...nat })
    world.etcd.put('10.6.0.0-20', JSON.stringify({ ...JSON.parse(upstreamLease(60)), PublicIP: '10.0.2.15' }))
    await startWithPeers()
    const reason = 'PublicIP 10.0.2.15 is our own, on nat0: the node at 10.0.2.15 needs another, by --iface there'
    expect(world.logged(/warn lease rejected/)).toEqual([`warn lease rejected lease=10.6.0.0-20 reason=${reason}`])
    expect(world.rows().routes).toBe(4)
    world.kernel.outside({ op: 'address.delete', ...nat })
    await world.advance(3_000)
    expect(world.rows().routes).toBe(5)
    world.kernel.outside({ op: 'address.add', ...nat })
    await world.advance(3_000)
    expect(world.rows().routes).toBe(4)
  })

  test('is accepted when our own address has become another one', async () => {
    await startWithPeers()
    world.etcd.put('10.6.0.0-20', JSON.stringify({ ...JSON.parse(upstreamLease(60)), PublicIP: '192.168.205.77' }))
    await world.advance(1_000)
    expect(world.rows().routes).toBe(5)
    const { kernel } = world
    const address = { linkIndex: kernel.indexOf('eth0') ?? 0, prefixLength: 24 } as const
    kernel.outside({ op: 'address.add', ...address, ip: ip('192.168.205.77') })
    kernel.outside({ op: 'address.delete', ...address, ip: ip('192.168.205.10') })
    await world.advance(4_000)
    expect(world.logged(/lease rejected lease=10.6.0.0-20 reason=PublicIP 192.168.205.77 is our own/)).toHaveLength(1)
    expect(world.rows().routes).toBe(4)
    kernel.outside({ op: 'address.add', ...address, ip: ip('192.168.205.10') })
    kernel.outside({ op: 'address.delete', ...address, ip: ip('192.168.205.77') })
    await world.advance(4_000)
    expect(world.rows().routes).toBe(5)
  })
})

describe('a lost subnet', () => {
  test('is left at once: address and subnet file are gone while another is looked for, then both are the new ones', async () => {
    await startWithPeers()
    const key = ownKey()
    const addresses = async (): Promise<readonly string[]> => {
      const index = world.kernel.indexOf('flannel.100')
      const all = await world.kernel.addresses(new AbortController().signal)
      return all.filter(({ linkIndex }) => linkIndex === index).map(({ ip: { text } }) => text)
    }
    const before = await addresses()
    world.store.hang('list')
    world.etcd.put(key, upstreamLease(99))
    await world.until('subnet file gone', async () => (await world.readSubnetFile()) === undefined)
    expect(await addresses()).toEqual([])
    await world.stop()
    expect(before).toEqual([key.replace(/-20$/, '')])
  })

  test('leaves nothing of itself with the next one, and its new owner is a peer', async () => {
    await startWithPeers()
    const key = ownKey()
    world.etcd.put(key, upstreamLease(99))
    await world.until('forwarding', () => world.forwards() && world.subnet !== key.replace('-', '/'))
    const next = world.etcd.records.find(({ value }) => value.includes('a'.repeat(32)))?.key ?? ''
    const index = world.kernel.indexOf('flannel.100')
    const all = await world.kernel.addresses(new AbortController().signal)
    const onDevice = all.filter(({ linkIndex }) => linkIndex === index).map(({ ip: { text } }) => text)
    expect(onDevice).toEqual([next.replace(/-20$/, '')])
    const routes = [...world.kernel.tables.routes.values()].map(({ destination }) => destination.text)
    expect(routes).toContain(key.replace('-', '/'))
    expect(world.rows()).toEqual({ neighbours: 5, fdb: 5, routes: 5 })
  })
})

describe('the first pass', () => {
  test('that the kernel refuses whole lets nobody in; the next one that works does', async () => {
    let isBusy = true
    let refusals = 0
    world.kernel.faults.refuse = ({ op }) => {
      if (!isBusy || !/neighbour|fdb|route/.test(op)) return undefined
      refusals++
      return 'EBUSY'
    }
    world.etcd.putConfig(CONFIG)
    PEERS.forEach((key, at) => world.etcd.put(key, upstreamLease(at + 20)))
    await world.start()
    await world.until('refusal', () => refusals > 0)
    await world.advance(500)
    expect([world.forwards(), world.logged(/forwarding is set up/)]).toEqual([false, []])
    expect(await world.readSubnetFile()).toBeUndefined()
    isBusy = false
    await world.advance(10_000)
    await world.until('subnet file', async () => (await world.readSubnetFile()) !== undefined)
    expect(world.rows()).toEqual({ neighbours: 4, fdb: 4, routes: 4 })
  })

  test('in which single peers are refused lets the others in', async () => {
    world.kernel.faults.refuse = (op) =>
      op.op === 'route.replace' && op.destination.text === '10.1.0.0/20' ? 'EINVAL' : undefined
    await startWithPeers()
    expect(world.rows()).toEqual({ neighbours: 4, fdb: 4, routes: 3 })
  })
})

describe('the log', () => {
  test('of ten minutes without etcd is a handful of lines, and none comes every second', async () => {
    await startWithPeers()
    const before = world.log.length
    world.store.disconnect()
    await world.advance(600_000)
    expect(world.log.length - before).toBeLessThanOrEqual(12)
    world.store.reconnect()
    await world.advance(5_000)
    expect(world.logged(/etcd is out of reach/)).toHaveLength(1)
    expect(world.logged(/etcd answers again/)).toHaveLength(1)
  })
})
