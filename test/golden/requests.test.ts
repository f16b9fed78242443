import { describe, expect, it } from 'vitest'
import { ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { prefix } from '../../src/net/prefix.ts'
import { writeFdbQuery, writeNeighbourQuery } from '../../src/netlink/codec/neighbour.ts'
import { writeOperation, type Operation } from '../../src/netlink/codec/operation.ts'
import { writeRouteLookup, writeRouteQuery } from '../../src/netlink/codec/route.ts'
import { NLM_F } from '../../src/netlink/codec/uapi.ts'
import { MessageWriter } from '../../src/netlink/codec/writer.ts'
import type { VxlanSpec } from '../../src/kernel/kernel.ts'
import { recording } from './golden.ts'

const FLANNEL = 4
const VX7 = 5
const VX8 = 6
const UNDERLAY = 3

const vxlan = {
  vni: 7,
  local: ip('192.0.2.1'),
  underlayIndex: UNDERLAY,
  port: 7890,
  learning: false,
  gbp: true,
  ttl: 9,
  udpChecksum: true,
}
const vx7: VxlanSpec = { name: 'vx7', mac: mac('02:00:00:00:00:07'), mtu: 1400, alias: 'overlay', vxlan }
const vx8: VxlanSpec = {
  name: 'vx8',
  mac: mac('02:00:00:00:00:08'),
  mtu: 1380,
  alias: '',
  vxlan: {
    vni: 8,
    local: ip('2001:db8::1'),
    underlayIndex: 0,
    port: 8472,
    learning: true,
    gbp: false,
    ttl: 0,
    udpChecksum: false,
  },
}

const peerMac = mac('02:00:00:00:aa:01')
const unicast = { op: 'route.replace', type: 'unicast', linkIndex: FLANNEL, protocol: '70' } as const
const onlink = { ...unicast, metric: 4242, onlink: true } as const

/** Our way to ask for what the command of the same name asks for. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  'link.create': { op: 'link.create', spec: vx7 },
  'link.create over IPv6': { op: 'link.create', spec: vx8 },
  'link.set up': { op: 'link.set', linkIndex: FLANNEL, up: true },
  'link.set down': { op: 'link.set', linkIndex: FLANNEL, up: false },
  'link.set mtu': { op: 'link.set', linkIndex: FLANNEL, mtu: 1400 },
  'link.set mac': { op: 'link.set', linkIndex: FLANNEL, mac: mac('02:00:00:00:00:02') },
  'link.set master': { op: 'link.set', linkIndex: FLANNEL, master: 0 },
  'link.set addressGeneration': { op: 'link.set', linkIndex: FLANNEL, addressGeneration: 'none' },
  'link.set up again': { op: 'link.set', linkIndex: FLANNEL, up: true },
  'link.alias': { op: 'link.set', linkIndex: VX7, alias: 'overlay' },
  'link.delete': { op: 'link.delete', linkIndex: VX7 },
  'address.add': { op: 'address.add', linkIndex: FLANNEL, ip: ip('10.15.64.0'), prefixLength: 32 },
  'address.add IPv6': { op: 'address.add', linkIndex: FLANNEL, ip: ip('fd00::1'), prefixLength: 128 },
  'address.delete': { op: 'address.delete', linkIndex: FLANNEL, ip: ip('10.15.64.0'), prefixLength: 32 },
  'neighbour.replace': { op: 'neighbour.replace', linkIndex: FLANNEL, ip: ip('10.16.0.0'), mac: peerMac },
  'neighbour.replace IPv6': { op: 'neighbour.replace', linkIndex: FLANNEL, ip: ip('fd00:16::'), mac: peerMac },
  'fdb.replace': { op: 'fdb.replace', linkIndex: FLANNEL, mac: peerMac, remote: ip('192.0.2.9') },
  'fdb.replace IPv6': { op: 'fdb.replace', linkIndex: VX8, mac: mac('02:00:00:00:aa:02'), remote: ip('2001:db8::9') },
  'route.replace': { ...onlink, destination: prefix('10.16.0.0/20'), gateway: ip('10.16.0.0') },
  'route.replace IPv6': { ...onlink, destination: prefix('fd00:16::/64'), gateway: ip('fd00:16::') },
  'route.replace without gateway': { ...unicast, destination: prefix('10.17.0.0/20'), metric: 7 },
  'route.replace blackhole': {
    op: 'route.replace',
    type: 'blackhole',
    destination: prefix('10.18.0.0/20'),
    metric: 4242,
    protocol: '70',
  },
}

/** Questions, each with what iproute2 puts in another way, as its bytes at an offset and ours. */
const QUESTIONS: Readonly<Record<string, (writer: MessageWriter) => void>> = {
  lookup: (writer) => {
    writeRouteLookup(writer, ip('10.16.0.7'), 0)
  },
  neighbours: (writer) => {
    writeNeighbourQuery(writer, 4, FLANNEL, 0)
  },
  fdb: (writer) => {
    writeFdbQuery(writer, FLANNEL, 0)
  },
  routes: (writer) => {
    writeRouteQuery(writer, 4, { linkIndex: FLANNEL }, 0)
  },
}

const SEQUENCE = 8

/** The recorded request, with the sequence number (a time of day) taken out. */
function recorded(name: string): Buffer {
  const request = recording.requests.find((one) => one.name === name)
  if (request === undefined) throw new Error(`no request "${name}" is recorded`)
  const bytes = Buffer.from(request.bytes, 'hex')
  bytes.fill(0, SEQUENCE, SEQUENCE + 4)
  return bytes
}

/** The iproute2 that recorded it does not know IFA_PROTO, which marks our addresses. */
function withProtocol(request: Buffer): Buffer {
  const marked = Buffer.concat([request, Buffer.from('05000b0046000000', 'hex')])
  marked.writeUInt32LE(marked.length, 0)
  return marked
}

function written(write: (writer: MessageWriter) => void): Buffer {
  const writer = new MessageWriter(1024)
  // What an earlier, longer message left in the buffer must not shine through the padding.
  writer.bytes.fill(0xee)
  write(writer)
  return Buffer.from(writer.bytes.subarray(0, writer.length))
}

describe('our requests are, byte for byte, those of iproute2', () => {
  it.each(recording.requests.filter(({ name }) => name in OPERATIONS))('$command', ({ name }) => {
    const op = OPERATIONS[name]
    if (op === undefined) throw new Error(name)
    // iproute2 has each request acknowledged; we do that with the last of a batch.
    const ours = written((writer) => {
      writeOperation(writer, op, 0)
      writer.flagLast(NLM_F.ACK)
    })
    const theirs = recorded(name)
    expect(ours.toString('hex')).toBe((op.op === 'address.add' ? withProtocol(theirs) : theirs).toString('hex'))
  })

  const question = (name: string): string => written(QUESTIONS[name] ?? (() => undefined)).toString('hex')

  it('neighbours and fdb entries of one link', () => {
    expect(question('neighbours')).toBe(recorded('neighbours').toString('hex'))
    expect(question('fdb')).toBe(recorded('fdb').toString('hex'))
  })

  it('a route lookup, but for RTM_F_LOOKUP_TABLE: we do not ask which table it was', () => {
    const theirs = recorded('lookup')
    expect(theirs.readUInt32LE(24)).toBe(0x1000)
    theirs.writeUInt32LE(0, 24)
    expect(question('lookup')).toBe(theirs.toString('hex'))
  })

  it("routes of one link, but for the table: iproute2 names it in an attribute, we in the header's field", () => {
    const theirs = recorded('routes')
    const table = '08000f00fe000000'
    expect(theirs.subarray(28, 36).toString('hex')).toBe(table)
    const ours = Buffer.concat([theirs.subarray(0, 28), theirs.subarray(36)])
    ours.writeUInt32LE(ours.length, 0)
    ours.writeUInt8(254, 20)
    expect(question('routes')).toBe(ours.toString('hex'))
  })

  it('of every recorded kind', () => {
    const ours = [...Object.keys(OPERATIONS), ...Object.keys(QUESTIONS)].sort()
    expect(recording.requests.map(({ name }) => name).sort()).toEqual(ours)
  })
})
