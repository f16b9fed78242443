import { execFileSync } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  openTun,
  startForwarder,
  type ForwarderTotals,
  type Tun,
  type UdpForwarder,
} from '../../src/native/udp-forwarder.ts'
import { waitFor } from '../lab/wait-for.ts'
import { runScript } from '../unit/native/child.ts'
import { packetOf, readPacket, sumOf, type Packet } from './udp-packets.ts'
import { tool } from './real-kernel.ts'

/** Files run side by side in one network namespace: a worker's process id keeps them apart. */
const WORKER = process.pid % 250
const NETWORK = `172.30.${WORKER}`
const OWN = `${NETWORK}.0`
const PEER_CONTAINER = `${NETWORK}.70`
const [HERE, PEER, STRANGER] = [1, 2, 3].map((n) => `127.30.${WORKER}.${n}`) as [string, string, string]
const PORT = 28_000 + WORKER
const MTU = 1_472
const number = (address: string): number => address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)
const SETTINGS = { address: number(HERE), port: PORT, own: number(OWN), ownLength: 26, mtu: MTU }
const PEERS = Uint32Array.of(number(`${NETWORK}.64`), 26, number(PEER))

async function socketAt(address: string, port = 0): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(port, address)
  await once(socket, 'listening')
  return socket
}

/** What arrives at a socket, one after the other. */
function arrivalsAt(socket: Socket): Buffer[] {
  const arrivals: Buffer[] = []
  socket.on('message', (message) => arrivals.push(message))
  return arrivals
}

const sent = (socket: Socket, bytes: Uint8Array, port: number, address: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    socket.send(bytes, port, address, (error) => {
      if (error) reject(error)
      else resolve(undefined)
    })
  })

const opened = (name: string, isPlain = false): Tun => {
  const tun = openTun(name, isPlain)
  if (typeof tun === 'string') throw new Error(tun)
  return tun
}

const started = (tun: Tun): UdpForwarder => {
  const forwarder = startForwarder(tun, SETTINGS)
  if (typeof forwarder === 'string') throw new Error(forwarder)
  return forwarder
}

/** How often threads of ours by that name have been given a processor (proc(5), schedstat). */
function turnsOf(name: string): number {
  const tasks = '/proc/self/task'
  const ours = readdirSync(tasks).filter((task) => readFileSync(`${tasks}/${task}/comm`, 'utf8').trim() === name)
  const turns = ours.map((task) => Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[2]))
  return turns.reduce((sum, each) => sum + each, 0)
}

/** Larger than what the forwarder may send, so that it is it that says so. */
function configure(tun: Tun): void {
  writeFileSync(`/proc/sys/net/ipv4/conf/${tun.name}/accept_local`, '1')
  tool('ip', 'link', 'set', tun.name, 'mtu', '3000', 'up')
  tool('ip', 'address', 'add', `${OWN}/32`, 'dev', tun.name)
  tool('ip', 'route', 'add', `${NETWORK}.0/24`, 'dev', tun.name)
}

describe.each([
  ['with what the kernel does for speed', false],
  ['without', true],
])('a forwarder, %s', (_, isPlain) => {
  let tun: Tun
  let forwarder: UdpForwarder
  let peer: Socket
  let host: Socket
  let datagrams: Buffer[]
  let payloads: Buffer[]

  beforeAll(() => {
    tun = opened(`w${WORKER}.%d`, isPlain)
    configure(tun)
    forwarder = started(tun)
  })
  afterAll(() => {
    tun.close()
  })
  beforeEach(async () => {
    forwarder.setPeers(PEERS)
    ;[peer, host] = [await socketAt(PEER, PORT), await socketAt(OWN, PORT)]
    ;[datagrams, payloads] = [arrivalsAt(peer), arrivalsAt(host)]
  })
  afterEach(() => {
    peer.close()
    host.close()
  })

  const fromPeer = (bytes: Uint8Array, socket = peer) => sent(socket, bytes, PORT, HERE)
  const packet = (fields: Partial<Packet> = {}): Buffer =>
    packetOf({ source: PEER_CONTAINER, destination: OWN, port: PORT, payload: Buffer.from('from afar'), ...fields })
  const totals = (): ForwarderTotals => forwarder.counters().totals
  /** What happened meanwhile, but for the calls that it took. */
  const countedSince = (before: ForwarderTotals): Partial<ForwarderTotals> =>
    Object.fromEntries(
      Object.entries(totals())
        .map(([name, value]) => [name, value - (new Map(Object.entries(before)).get(name) ?? 0)] as const)
        .filter(([name, value]) => value !== 0 && name !== 'systemCalls' && name !== 'outNotIpv4'),
    )
  const datagram = (): Promise<Buffer> => waitFor('a datagram', () => datagrams.shift())

  it('sends a packet to whoever has its destination, as one datagram, with a TTL that is one less', async () => {
    const before = totals()
    await sent(host, Buffer.from('hello'), 9, PEER_CONTAINER)
    const bytes = await datagram()
    expect(readPacket(bytes)).toMatchObject({ source: OWN, destination: PEER_CONTAINER, ttl: 63, isRight: true })
    expect(bytes.subarray(28).toString()).toBe('hello')
    expect(sumOf(bytes.subarray(20), bytes.subarray(12, 20), 17 + 13)).toBe(0xffff)
    await waitFor('the count', () => countedSince(before).sentPackets)
    expect(countedSince(before)).toEqual({ sentPackets: 1, sentOctets: 33 })
  })

  it("gives the kernel what a peer has sent, and counts it as that peer's", async () => {
    const before = totals()
    await fromPeer(packet())
    expect((await waitFor('a payload', () => payloads.shift())).toString()).toBe('from afar')
    expect(countedSince(before)).toEqual({ receivedPackets: 1, receivedOctets: 37 })
    expect(Array.from(forwarder.counters().peers).slice(2)).toEqual([expect.any(Number), expect.any(Number), 0])
  })

  it('keeps the order of datagrams, and loses none of them', async () => {
    for (let at = 0; at < 200; at++)
      await fromPeer(packet({ payload: Buffer.from(`${at}`.padStart(at % 7 === 0 ? 9 : 8)) }))
    await waitFor('all', () => payloads.length === 200)
    expect(payloads.map((each) => Number(each.toString()))).toEqual(Array.from({ length: 200 }, (_, at) => at))
  })

  it('carries both directions on one thread while little passes, and each on its own when there is much', async () => {
    const numbers = Array.from({ length: 64 }, (_unused, at) => at)
    const orders: (readonly number[])[] = []
    const burst = async (): Promise<void> => {
      await Promise.all(numbers.map((each) => fromPeer(packet({ payload: Buffer.from(`${each}`) }))))
      await waitFor('the burst', () => payloads.length >= numbers.length)
      orders.push(payloads.splice(0).map(Number))
    }
    const isResting = async (): Promise<boolean> => {
      const before = turnsOf('flannel-in')
      await fromPeer(packet())
      await sent(host, Buffer.from('hello'), 9, PEER_CONTAINER)
      await waitFor('both', () => payloads.shift() !== undefined && datagrams.shift() !== undefined)
      return turnsOf('flannel-in') === before
    }
    const resting = turnsOf('flannel-in')
    await waitFor('much at once', async () => {
      await burst()
      return turnsOf('flannel-in') > resting
    })
    expect(orders).toEqual(orders.map(() => numbers))
    await waitFor('one thread again', isResting)
  })

  it.each<readonly [string, keyof ForwarderTotals, (good: () => Buffer) => Buffer]>([
    ['from outside of its subnet', 'inForeignSource', () => packet({ source: `${NETWORK}.130` })],
    ['from our own subnet', 'inForeignSource', () => packet({ source: `${NETWORK}.5` })],
    ['to another subnet', 'inNotForUs', () => packet({ destination: `${NETWORK}.130` })],
    ['to everybody', 'inNotForUs', () => packet({ destination: '255.255.255.255' })],
    ['of IPv6', 'inNotIpv4', () => Buffer.concat([Buffer.of(0x60), packet().subarray(1)])],
    ['of nothing', 'inMalformed', () => Buffer.alloc(0)],
    ['of one octet', 'inMalformed', () => Buffer.of(0x45)],
    ['of less than it says', 'inMalformed', (good) => good().subarray(0, -1)],
    ['of more than it says', 'inMalformed', (good) => Buffer.concat([good(), Buffer.of(0)])],
    ['with a header that is too short', 'inMalformed', () => packet({ firstOctet: 0x44 })],
    [
      'with a header that is longer than all of it',
      'inMalformed',
      () => packet({ firstOctet: 0x4f, payload: Buffer.alloc(3) }),
    ],
    ['with a wrong checksum', 'inMalformed', () => packet({ damage: true })],
    ['with an option beyond the header', 'inMalformed', () => packet({ options: Buffer.of(7, 5, 0, 0) })],
    ['with an option of no length', 'inMalformed', () => packet({ options: Buffer.of(7, 0, 0, 0) })],
    ['with a fragment beyond the largest packet', 'inMalformed', () => packet({ fragment: 0x1fff })],
  ])('drops a packet %s, and says why', async (_what, why, make) => {
    const before = totals()
    await fromPeer(make(packet))
    await fromPeer(packet({ payload: Buffer.from('after that') }))
    expect((await waitFor('the next', () => payloads.shift())).toString()).toBe('after that')
    expect(countedSince(before)).toEqual({ [why]: 1, receivedPackets: 1, receivedOctets: 38 })
  })

  it('takes packets with options, and fragments', async () => {
    await fromPeer(packet({ options: Buffer.of(1, 1, 1, 0) }))
    expect((await waitFor('a payload', () => payloads.shift())).toString()).toBe('from afar')
    const whole = packet({ payload: Buffer.alloc(64, 'x') }).subarray(20)
    await fromPeer(packet({ fragment: 0x2000, transport: whole.subarray(0, 40) }))
    await fromPeer(packet({ fragment: 5, transport: whole.subarray(40) }))
    expect((await waitFor('the whole', () => payloads.shift())).toString()).toBe('x'.repeat(64))
  })

  it("takes nothing from others than peers, nor from a peer's other ports", async () => {
    const before = totals()
    for (const socket of [await socketAt(STRANGER, PORT), await socketAt(PEER)]) {
      await fromPeer(packet(), socket)
      socket.close()
    }
    await waitFor('both', () => countedSince(before).inStranger === 2)
    expect(countedSince(before)).toEqual({ inStranger: 2 })
    expect(payloads).toEqual([])
  })

  it('tells a peer whose packet has no time left', async () => {
    await fromPeer(packet({ ttl: 1 }))
    const error = await datagram()
    expect(readPacket(error)).toMatchObject({ source: OWN, destination: PEER_CONTAINER, protocol: 1, isRight: true })
    expect([...error.subarray(20, 22), sumOf(error.subarray(20))]).toEqual([11, 0, 0xffff])
    expect(readPacket(error.subarray(28))).toMatchObject({ source: PEER_CONTAINER, destination: OWN, ttl: 1 })
  })

  it('tells whoever sends to nobody, or without time, or what is too large to be sent whole', () => {
    const ping = (...args: readonly string[]): string =>
      execFileSync('sh', ['-c', `ping -n -c 1 -W 10 -I ${OWN} ${args.join(' ')} 2>&1 || true`], { encoding: 'utf8' })
    expect(ping(`${NETWORK}.200`)).toContain('Destination Net Unreachable')
    expect(ping('-t', '1', PEER_CONTAINER)).toContain('Time to live exceeded')
    expect(ping('-M', 'do', '-s', '1600', PEER_CONTAINER)).toMatch(/Frag needed.*mtu = 1472/)
  })

  it('sends what is too large, and may be cut, as one datagram that the underlay cuts', async () => {
    execFileSync('sh', ['-c', `ping -n -c 1 -W 0.01 -I ${OWN} -M dont -s 1600 ${NETWORK}.71 || true`])
    expect(await datagram()).toHaveLength(1_628)
  })

  it('knows other peers from one packet to the next, and goes on counting those that stay', async () => {
    const mine = (): readonly number[] => Array.from(forwarder.counters().peers)
    const before = mine()
    forwarder.setPeers(Uint32Array.of(number(`${NETWORK}.128`), 26, number(STRANGER), ...PEERS))
    expect(mine()).toEqual([0, 0, 0, 0, 0, ...before])
    forwarder.setPeers(new Uint32Array())
    const { inStranger } = totals()
    await fromPeer(packet())
    await waitFor('the stranger', () => totals().inStranger === inStranger + 1)
    forwarder.setPeers(PEERS)
    expect(mine()).toEqual([0, 0, 0, 0, 0])
  })

  it('leaves its port to others once it was stopped, and goes on when it is started again', async () => {
    expect(startForwarder(tun, SETTINGS)).toBe('EALREADY')
    forwarder.stop()
    forwarder.stop()
    const other = await socketAt(HERE, PORT)
    expect(startForwarder(tun, SETTINGS)).toBe('EADDRINUSE')
    other.close()
    await once(other, 'close')
    forwarder = started(tun)
    await fromPeer(packet())
    expect((await waitFor('a payload', () => payloads.shift())).toString()).toBe('from afar')
  })

  it('ends when its device is deleted, and says so', async () => {
    expect(forwarder.failure()).toBeUndefined()
    tool('ip', 'link', 'delete', tun.name)
    expect(await waitFor('the failure', () => forwarder.failure())).toBe('ENODEV')
    tun.close()
    forwarder.stop()
  })
})

/** Of a device that scripts of their own process forward packets of. */
const FORWARDING = {
  name: `w${WORKER}.end`,
  settings: [SETTINGS.address, PORT + 1, SETTINGS.own, SETTINGS.ownLength, MTU],
}
const HELPERS = `
import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
const there = () => readFileSync('/proc/net/dev', 'utf8').includes(FORWARDING.name)
const forward = () => addon.startForwarder(addon.openForwarder(FORWARDING.name, false), Uint32Array.from(FORWARDING.settings))
async function forgotten() { for (let times = 0; times < 5 && there(); times++) { gc(); await setImmediate() } }
`
const FORWARD = 'forward(); say(there())'
const FORWARD_IN_WORKER = `
const worker = new Worker(${JSON.stringify(new URL('forwarding-worker.mjs', import.meta.url).pathname)}, { execArgv: [], workerData: { addonPath, FORWARDING } })
await once(worker, 'message'); say(there()); await worker.terminate(); say(there())
`

describe('a device', () => {
  it('goes with whoever has it; nobody else can have it, nor be given another kind', () => {
    const tun = opened(`w${WORKER}.one`)
    expect(tun.name).toBe(`w${WORKER}.one`)
    expect(openTun(tun.name)).toBe('EBUSY')
    expect(openTun('lo')).toBe('EINVAL')
    expect(openTun('a name of too many letters')).toBe('ENAMETOOLONG')
    expect(startForwarder(tun, { ...SETTINGS, address: number('203.0.113.7') })).toBe('EADDRNOTAVAIL')
    expect(tool('ip', '-j', 'link', 'show', 'dev', tun.name)).toContain('"POINTOPOINT"')
    tun.close()
    tun.close()
    expect(() => tool('ip', 'link', 'show', 'dev', tun.name)).toThrow('does not exist')
  })

  it.each([
    ['the process, which it does not keep alive', FORWARD, [true]],
    ['the thread of Node', FORWARD_IN_WORKER, [true, false]],
    ['whoever has forgotten it', `${FORWARD}; await forgotten(); say(there())`, [true, false]],
  ])('forwards until the end of %s', async (_, script, expected) => {
    const { code, signal, said, stderr } = await runScript(
      `const FORWARDING = ${JSON.stringify(FORWARDING)}${HELPERS}${script}`,
      ['--expose-gc'],
    )
    expect({ code, signal, stderr, said }).toEqual({ code: 0, signal: null, stderr: '', said: expected })
    expect(() => tool('ip', 'link', 'show', 'dev', FORWARDING.name)).toThrow('does not exist')
  })
})
