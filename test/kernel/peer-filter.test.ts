import { execFileSync } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { NftPeerFilter } from '../../src/firewall/peer-filter/nft-peer-filter.ts'
import { ip, ipFromInteger, ipToInteger } from '../../src/net/ip.ts'
import { FirewallError } from '../../src/kernel/firewall.ts'
import { peerFilterContract } from '../contract/peer-filter-contract.ts'
import { waitFor } from '../lab/wait-for.ts'
import { tool } from './real-kernel.ts'

const OVERLAY = { vni: 0x01_02_03, port: 31_472 }
const PEER = { 4: '127.0.0.5', 6: 'fd00:5::5' } as const
const STRANGER = { 4: '127.0.0.6', 6: 'fd00:5::6' } as const
const OURSELVES = { 4: '127.0.0.7', 6: 'fd00:5::7' } as const
const MANY = 10_000
const MARK = 0xff

const { signal } = new AbortController()
const nft = (...args: readonly string[]): string =>
  execFileSync('nft', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 26 })

/** VXLAN header (RFC 7348 section 5) and a byte that says which packet it is. */
const vxlan = (vni: number, mark = 0): Buffer =>
  Buffer.from([0x08, 0, 0, 0, (vni >> 16) & 0xff, (vni >> 8) & 0xff, vni & 0xff, 0, mark])

async function bound(family: 4 | 6, address: string, port = 0): Promise<Socket> {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
  socket.bind(port, address)
  await once(socket, 'listening')
  return socket
}

/** Which of the packets arrive; a marked one behind them, to another port, tells when all have been seen. */
async function arrivals(family: 4 | 6, from: string, packets: readonly Buffer[], port: number): Promise<number> {
  const [receiver, witness] = [await bound(family, OURSELVES[family], port), await bound(family, OURSELVES[family])]
  const sender = await bound(family, from)
  let [arrived, isOver] = [0, false]
  receiver.on('message', () => arrived++)
  witness.on('message', () => (isOver = true))
  for (const packet of packets) sender.send(packet, port, OURSELVES[family])
  sender.send(vxlan(0, MARK), witness.address().port, OURSELVES[family])
  await waitFor('the witness', () => isOver)
  for (const socket of [receiver, witness, sender]) socket.close()
  return arrived
}

beforeAll(() => {
  tool('ip', 'link', 'set', 'lo', 'up')
  for (const address of [PEER[6], STRANGER[6], OURSELVES[6]])
    tool('ip', 'address', 'replace', `${address}/128`, 'dev', 'lo')
})

peerFilterContract('nft in the kernel', () => new NftPeerFilter())

describe('the peer filter in the kernel', () => {
  let filter: NftPeerFilter
  beforeEach(async () => {
    filter = new NftPeerFilter()
    await filter.install(OVERLAY, [ip(PEER[4]), ip(PEER[6])], signal)
  })
  afterEach(() => filter.remove(signal))

  it.each([4, 6] as const)('lets IPv%i peers in, and counts what others send to the overlay', async (family) => {
    const packets = [vxlan(OVERLAY.vni), vxlan(OVERLAY.vni), vxlan(OVERLAY.vni)]
    expect(await arrivals(family, PEER[family], packets, OVERLAY.port)).toBe(3)
    expect((await filter.read(OVERLAY, 'rules', signal))?.drops).toEqual({ packets: 0, forged: 0 })
    expect(await arrivals(family, STRANGER[family], packets, OVERLAY.port)).toBe(0)
    expect((await filter.read(OVERLAY, 'rules', signal))?.drops).toEqual({ packets: 3, forged: 0 })
    expect(nft('-j', 'list', 'counter', 'inet', 'flannel-peers', 'strangers')).toContain('"packets": 3')
  })

  it.each([4, 6] as const)('leaves other networks, ports and short packets over IPv%i alone', async (family) => {
    const others = [OVERLAY.vni + 1, OVERLAY.vni - 1, OVERLAY.vni << 8, 0].map((vni) => vxlan(vni & 0xff_ffff))
    expect(await arrivals(family, STRANGER[family], others, OVERLAY.port)).toBe(4)
    expect(await arrivals(family, STRANGER[family], [Buffer.from('short')], OVERLAY.port)).toBe(1)
    expect(await arrivals(family, STRANGER[family], [vxlan(OVERLAY.vni)], OVERLAY.port + 1)).toBe(1)
    expect((await filter.read(OVERLAY, 'rules', signal))?.drops).toEqual({ packets: 0, forged: 0 })
  })

  it('drops also what comes in fragments', async () => {
    tool('ip', 'link', 'set', 'lo', 'mtu', '1280')
    const large = Buffer.concat([vxlan(OVERLAY.vni), Buffer.alloc(4000)])
    for (const family of [4, 6] as const) {
      expect(await arrivals(family, STRANGER[family], [large], OVERLAY.port)).toBe(0)
      expect(await arrivals(family, PEER[family], [large], OVERLAY.port)).toBe(1)
      expect(await arrivals(family, STRANGER[family], [large], OVERLAY.port + 1)).toBe(1)
    }
    tool('ip', 'link', 'set', 'lo', 'mtu', '65536')
  })

  it('is read back as it was made, and adopted by the next agent', async () => {
    const other = new NftPeerFilter()
    const state = await other.read(OVERLAY, 'all', signal)
    expect(state?.isWhole).toBe(true)
    expect(state?.peers?.map(({ text }) => text)).toEqual([PEER[4], PEER[6]])
    expect((await other.read({ ...OVERLAY, vni: 1 }, 'rules', signal))?.isWhole).toBe(false)
    expect((await filter.read({ ...OVERLAY, port: 1 }, 'rules', signal))?.isWhole).toBe(false)
  })

  it.each([
    ['a flushed chain', 'flush chain inet flannel-peers overlay'],
    ['an added rule', 'insert rule inet flannel-peers overlay accept'],
    ['a lost chain', 'flush chain inet flannel-peers input; delete chain inet flannel-peers input'],
  ])('is not whole after %s', async (_, command) => {
    nft(command)
    expect((await filter.read(OVERLAY, 'rules', signal))?.isWhole).toBe(false)
    await filter.install(OVERLAY, [ip(PEER[4])], signal)
    expect(await filter.read(OVERLAY, 'all', signal)).toMatchObject({ isWhole: true, peers: [ip(PEER[4])] })
  })

  it('follows peers that come and go', async () => {
    await filter.change([ip(STRANGER[4]), ip(STRANGER[6])], [ip(PEER[4])], signal)
    const state = await filter.read(OVERLAY, 'all', signal)
    expect(state?.peers?.map(({ text }) => text)).toEqual([STRANGER[4], PEER[6], STRANGER[6]])
    await filter.change([], [], signal)
  })

  it('refuses a change as a whole when a part cannot be made', async () => {
    const gone = filter.change([ip(STRANGER[4])], [ip('127.0.0.99')], signal)
    await expect(gone).rejects.toMatchObject({ name: 'PeerFilterError', op: 'change', code: 'REFUSED' })
    expect((await filter.read(OVERLAY, 'all', signal))?.peers).toHaveLength(2)
  })

  it('takes its table away, and no other', async () => {
    nft('add table inet flannel-peers-other')
    expect(await filter.remove(signal)).toBe(true)
    expect(await filter.remove(signal)).toBe(false)
    expect(await filter.read(OVERLAY, 'all', signal)).toBeUndefined()
    expect(nft('list tables inet')).toContain('flannel-peers-other')
    nft('delete table inet flannel-peers-other')
  })

  it('takes its table away whichever overlay it is for', async () => {
    await filter.install({ vni: OVERLAY.vni + 1, port: 4789 }, [ip(PEER[4])], signal)
    expect(await new NftPeerFilter().remove(signal)).toBe(true)
    expect(nft('list tables inet')).not.toContain('flannel-peers')
  })

  it('holds ten thousand peers, made in one transaction', async () => {
    const first = ipToInteger(ip('10.0.0.1'))
    const peers = Array.from({ length: MANY }, (_, at) => ipFromInteger(4, first + BigInt(at)))
    const startMs = performance.now()
    await filter.install(OVERLAY, peers, signal)
    expect(performance.now() - startMs).toBeLessThan(5_000)
    const state = await filter.read(OVERLAY, 'all', signal)
    expect(state?.isWhole).toBe(true)
    expect(new Set(state?.peers?.map(({ text }) => text))).toEqual(new Set(peers.map(({ text }) => text)))
  })
})

describe('nft', () => {
  it('is named with its package where it is missing', async () => {
    const none = new NftPeerFilter(() => Promise.reject(new FirewallError('nft', 'MISSING', 'nft is not installed')))
    const missing = { code: 'MISSING', message: expect.stringContaining('package nftables') as unknown }
    await expect(none.read(OVERLAY, 'all', signal)).rejects.toMatchObject(missing)
    await expect(none.install(OVERLAY, [], signal)).rejects.toMatchObject(missing)
  })

  it('is found where administrators have it, also for a service with a short PATH', async () => {
    const path = process.env['PATH']
    const short = await mkdtemp(join(tmpdir(), 'short-path-'))
    for (const command of ['sh', 'cat']) await symlink(`/bin/${command}`, join(short, command))
    process.env['PATH'] = short
    const filter = new NftPeerFilter()
    try {
      await filter.install(OVERLAY, [], signal)
      expect(await filter.read(OVERLAY, 'all', signal)).toMatchObject({ isWhole: true })
    } finally {
      await filter.remove(signal)
      process.env['PATH'] = path
      await rm(short, { recursive: true })
    }
  })
})
