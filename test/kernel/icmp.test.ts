import { execFileSync } from 'node:child_process'
import { afterEach, describe, expect, it } from 'vitest'
import { openIcmp } from '../../src/icmp/icmp-socket.ts'
import { loadAddon, type IcmpAddon } from '../../src/native/load.ts'
import { ip } from '../../src/net/ip.ts'
import { shortest } from '../../src/probe/echo.ts'
import type { EchoReport, EchoSocket } from '../../src/probe/echo-socket.ts'
import { waitFor } from '../lab/wait-for.ts'
import { tool } from './real-kernel.ts'

const LO = { 4: ip('127.0.0.1'), 6: ip('::1') } as const
/** This worker's own: files run side by side in one network namespace. */
const WORKER = process.pid % 200
const IDENTIFIER = 0x4000 + WORKER
const NONCE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)

const undo: (() => void)[] = []
afterEach(() => {
  for (const undone of undo.splice(0).reverse()) undone()
})

/** The addon, counting what the kernel lets through. */
function countingAddon(over: Partial<IcmpAddon> = {}): { readonly addon: IcmpAddon; readonly passed: () => number } {
  const addon = loadAddon()
  let passed = 0
  const receivePackets: IcmpAddon['receivePackets'] = (...args) => {
    const count = addon.receivePackets(...args)
    passed += Math.max(0, count)
    return count
  }
  return { addon: { ...addon, receivePackets, ...over }, passed: () => passed }
}

function open(family: 4 | 6, identifier = IDENTIFIER, addon?: IcmpAddon): EchoSocket {
  const socket = openIcmp(family, identifier, addon)
  if ('why' in socket) throw new Error(socket.why)
  undo.push(() => {
    socket.close()
  })
  return socket
}

const nft = (...args: readonly string[]): string => execFileSync('nft', args, { encoding: 'utf8' })
const ask = (socket: EchoSocket, to: ReturnType<typeof ip>, from = to, packetLength = shortest(to.family)) =>
  socket.send({ to, from, sequence: 7, nonce: NONCE, packetLength })
const reported = (socket: EchoSocket): Promise<EchoReport> =>
  waitFor('a report', () => socket.receive().find(({ kind }) => kind !== 'request'))

describe.each([4, 6] as const)('an ICMP socket of IPv%d', (family) => {
  it('hears the answer to its question, with the time that it took', async () => {
    const socket = open(family)
    const sent = ask(socket, LO[family])
    const report = await reported(socket)
    expect(report).toMatchObject({ kind: 'reply', sequence: 7, nonce: NONCE, from: { text: LO[family].text } })
    if (typeof sent !== 'number' || report.kind === 'refusal') throw new Error('not sent, or refused')
    expect(report.atMicros - sent).toBeGreaterThanOrEqual(0)
    expect(report.atMicros - sent).toBeLessThan(1_000_000)
  })

  it("hears other agents' questions, and nothing of other programs", async () => {
    const { addon, passed } = countingAddon()
    const socket = open(family, IDENTIFIER, addon)
    tool('ip', 'link', 'show', 'dev', 'lo')
    execFileSync('ping', [`-${family}`, '-c', '2', '-i', '0.01', LO[family].text])
    const other = open(family, IDENTIFIER + 1)
    ask(other, LO[family])
    await reported(other)
    const [report, ...more] = await waitFor('a question', () => [socket.receive()].find(({ length }) => length > 0))
    expect(report).toMatchObject({ kind: 'request', sequence: 7, from: { text: LO[family].text } })
    expect([passed(), more]).toEqual([1, []])
  })

  it('sends whole packets alone: one of full size is not fragmented, one that is larger not sent', () => {
    const device = `icmp${WORKER}.${family}`
    const own = family === 4 ? `10.66.${WORKER}.1` : `fd66:${WORKER}::1`
    const there = ip(own.replace(/1$/, '2'))
    tool('ip', 'link', 'add', device, 'mtu', '1400', 'type', 'veth', 'peer', 'name', `${device}p`)
    undo.push(() => tool('ip', 'link', 'del', device))
    tool('ip', 'address', 'add', `${own}/${family === 4 ? 24 : 64}`, 'dev', device, ...(family === 6 ? ['nodad'] : []))
    for (const end of [device, `${device}p`]) tool('ip', 'link', 'set', end, 'up')
    const table = `icmp${WORKER}`
    const whole = family === 4 ? 'ip frag-off 0x4000' : 'ip6 nexthdr icmpv6'
    nft(
      `table inet ${table} { chain out { type filter hook output priority 0; oifname "${device}" meta length 1400 ${whole} counter; }; }`,
    )
    undo.push(() => nft('delete', 'table', 'inet', table))
    const socket = open(family)
    expect(ask(socket, there, ip(own), 1_400)).toBeTypeOf('number')
    expect(nft('list', 'table', 'inet', table)).toMatch(/counter packets 1 bytes 1400/)
    expect(ask(socket, there, ip(own), 1_401)).toEqual({ error: 'EMSGSIZE' })
  })

  it('hears what is said against a question, and by whom', async () => {
    const table = `refuse${WORKER}`
    const there = ip(family === 4 ? '127.66.0.2' : '::1')
    const [match, words] =
      family === 4
        ? ['ip daddr 127.66.0.2', 'icmp host-prohibited']
        : ['icmpv6 id 16450 icmpv6 type echo-request', 'icmpv6 admin-prohibited']
    nft(`table inet ${table} { chain out { type filter hook output priority 0; ${match} reject with ${words}; }; }`)
    undo.push(() => nft('delete', 'table', 'inet', table))
    const socket = open(family, 16_450)
    ask(socket, there, LO[family])
    const says = family === 4 ? 'host prohibited from 127.66.0.2' : 'communication prohibited from ::1'
    expect(await reported(socket)).toEqual({ kind: 'refusal', sequence: 7, nonce: NONCE, says })
    // it is no error of the next one
    for (const undone of undo.splice(0, 1)) undone()
    expect(ask(socket, LO[family])).toBeTypeOf('number')
  })
})

describe('where raw sockets are refused', () => {
  it('a ping socket does, where the host lets us have one', async () => {
    tool('sysctl', '-qw', 'net.ipv4.ping_group_range=0 0')
    const addon = loadAddon()
    const openPing: IcmpAddon['openIcmp'] = (family, isRaw) => (isRaw ? -1 : addon.openIcmp(family, isRaw))
    for (const family of [4, 6] as const) {
      const socket = open(family, IDENTIFIER, { ...addon, openIcmp: openPing })
      expect(socket.hearsQuestions).toBe(false)
      ask(socket, LO[family])
      expect(await reported(socket)).toMatchObject({ kind: 'reply', sequence: 7, nonce: NONCE })
    }
  })
})
