import { describe, expect, it } from 'vitest'
import {
  decodeLease,
  earlierSubnets,
  encodeLease,
  formatLeaseKey,
  nodeIn,
  parseLeaseKey,
} from '../../../src/lease/codec.ts'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { leaseRecord, leaseValue, NODE } from '../../fake/samples.ts'

const KEY = '10.15.64.0-20'
const DUAL_KEY = '10.15.64.0-20&fd00:10:0:40::-64'
const decode = (value: string, key = KEY) => decodeLease(leaseRecord(key, value))

describe('parseLeaseKey', () => {
  it('reads an IPv4 key and a dual-stack key', () => {
    expect(parseLeaseKey(KEY)?.map(({ text }) => text)).toEqual(['10.15.64.0/20'])
    expect(parseLeaseKey(DUAL_KEY)?.map(({ text }) => text)).toEqual(['10.15.64.0/20', 'fd00:10:0:40::/64'])
  })

  it.each([
    '',
    'nonsense',
    '10.15.64.0',
    '10.15.64.0-',
    '-20',
    '10.15.64.0/20',
    '10.15.64.0-33',
    '10.15.64.0-020',
    '10.15.64.1-20',
    '010.15.64.0-20',
    '10.15.64.0-20 ',
    '10.15.64.0-20\n',
    '10.15.64.0-20-20',
    '10.15.64.0-20&',
    '&fd00::-64',
    'fd00:10:0:40::-64&10.15.64.0-20',
    '10.15.64.0-20&10.15.80.0-20',
    '10.15.64.0-20&fd00::-64&fd01::-64',
    '10.15.64.0-20&FD00:10:0:40::-64',
    '10.15.64.0-20&fd00:10:0:40:0:0:0:0-64',
    '10.15.64.0-20/sub',
    'sub/10.15.64.0-20',
  ])('refuses %j, of which no node would know the subnet or could write it back the same', (key) => {
    expect(parseLeaseKey(key)).toBeUndefined()
  })

  it('reads IPv6 alone, as a Node of a cluster may have it', () => {
    expect(parseLeaseKey('fd00:10:0:40::-64')?.map(({ text }) => text)).toEqual(['fd00:10:0:40::/64'])
  })

  it('writes keys as upstream does', () => {
    expect(formatLeaseKey([prefix('10.15.64.0/20')])).toBe(KEY)
    expect(formatLeaseKey([prefix('10.15.64.0/20'), prefix('fd00:10:0:40::/64')])).toBe(DUAL_KEY)
  })
})

describe('decodeLease', () => {
  it("reads today's upstream value", () => {
    const lease = decode(
      '{"PublicIP":"192.168.205.10","PublicIPv6":null,"BackendType":"vxlan",' +
        '"BackendData":{"VNI":100,"VtepMAC":"82:53:2e:6a:a9:43"}}',
    )
    expect(lease).toMatchObject({
      key: KEY,
      backendType: 'vxlan',
      families: [{ family: 4, publicIp: ip('192.168.205.10'), subnet: prefix('10.15.64.0/20') }],
    })
    expect(lease).toHaveProperty('node', undefined)
  })

  it('reads a v0.6 value, which has neither PublicIPv6 nor VNI', () => {
    const data = { VtepMAC: '82:53:2e:6a:a9:43' }
    const value = JSON.stringify({ PublicIP: '192.168.205.10', BackendType: 'vxlan', BackendData: data })
    expect(decode(value)).toMatchObject({ families: [{ backendData: data }] })
  })

  it('reads both families of a dual-stack lease', () => {
    const value = JSON.stringify({
      PublicIP: '192.168.205.10',
      PublicIPv6: 'fd01::10',
      BackendType: 'vxlan',
      BackendData: { VNI: 1, VtepMAC: '82:53:2e:6a:a9:43' },
      BackendV6Data: { VNI: 1, VtepMAC: '82:53:2e:6a:a9:44' },
    })
    expect(decode(value, DUAL_KEY)).toMatchObject({
      families: [
        { family: 4, publicIp: ip('192.168.205.10'), backendData: { VtepMAC: '82:53:2e:6a:a9:43' } },
        { family: 6, publicIp: ip('fd01::10'), backendData: { VtepMAC: '82:53:2e:6a:a9:44' } },
      ],
    })
  })

  it('ignores fields it does not know and reads names in any case', () => {
    const lease = decode('{"publicip":"192.168.205.10","BACKENDTYPE":"vxlan","Weight":3,"Node":{"ID":"n","Extra":[]}}')
    expect(lease).toMatchObject({ backendType: 'vxlan', node: { id: 'n', hostname: '' } })
  })

  it('keeps what etcd says of the key', () => {
    const fields = { etcdLeaseId: '7587848390', createRevision: 5n, modRevision: 9n }
    const value = leaseValue({ publicIp: '192.168.205.10', mac: '82:53:2e:6a:a9:43' })
    expect(decodeLease(leaseRecord(KEY, value, fields))).toMatchObject(fields)
  })

  it('leaves judging the backend to the backend', () => {
    expect(decode('{"PublicIP":"192.168.205.10"}')).toMatchObject({
      backendType: '',
      families: [{ backendData: undefined }],
    })
  })

  it.each([
    ['an empty value', '', 'valid JSON'],
    ['truncated JSON', '{"PublicIP":"192.168.2', 'valid JSON'],
    ['binary', '\u0000\u0001\ufffd', 'valid JSON'],
    ['a JSON null', 'null', 'a JSON object, found null'],
    ['a JSON array', '[]', 'a JSON object, found []'],
    ['a JSON string', '"x"', 'a JSON object, found "x"'],
    ['no PublicIP', '{}', 'PublicIP: expected an IPv4 address, found nothing'],
    ['PublicIP null', '{"PublicIP":null}', 'PublicIP: expected an IPv4 address, found nothing'],
    ['a number for PublicIP', '{"PublicIP":3232287002}', 'PublicIP: expected a string, found 3232287002'],
    ['a name for PublicIP', '{"PublicIP":"host-1"}', 'PublicIP: expected an IPv4 address, found "host-1"'],
    ['IPv6 in PublicIP', '{"PublicIP":"fd01::1"}', 'PublicIP: expected an IPv4 address, found "fd01::1"'],
    ['a list for BackendType', '{"PublicIP":"192.168.1.1","BackendType":["vxlan"]}', 'BackendType: expected a string'],
    ['text for Node', '{"PublicIP":"192.168.1.1","Node":"n"}', 'Node: expected a JSON object, found "n"'],
    ['a number for the node id', '{"PublicIP":"192.168.1.1","Node":{"ID":1}}', 'Node.ID: expected a string, found 1'],
    ['a huge value', `{"PublicIP":"192.168.1.1","x":"${'y'.repeat(20_000)}"}`, 'more than 16384'],
    ['deep nesting where text belongs', `{"PublicIP":${'['.repeat(8_000)}${']'.repeat(8_000)}}`, 'expected a string'],
  ])('rejects %s, saying why', (_, value, reason) => {
    const lease = decode(value)
    expect(lease).toHaveProperty('rejected', expect.stringContaining(reason))
  })

  it('takes a value of 16384 characters, and none of one more', () => {
    const start = '{"PublicIP":"192.168.1.1","x":"'
    const value = (length: number): string => `${start}${'y'.repeat(length - start.length - 2)}"}`
    expect(decode(value(16_384))).not.toHaveProperty('rejected')
    expect(decode(value(16_385))).toHaveProperty('rejected')
  })

  it('rejects an IPv6 subnet without PublicIPv6', () => {
    const value = leaseValue({ publicIp: '192.168.205.10', mac: '82:53:2e:6a:a9:43' })
    expect(decode(value, DUAL_KEY)).toHaveProperty('rejected', expect.stringContaining('PublicIPv6'))
  })

  it('rejects a key that names no subnet, saying what one looks like', () => {
    const value = leaseValue({ publicIp: '192.168.205.10', mac: '82:53:2e:6a:a9:43' })
    expect(decode(value, 'config')).toHaveProperty('rejected', expect.stringContaining('10.15.64.0-20'))
  })
})

describe('encodeLease', () => {
  it("writes upstream's fields, and ours after them", () => {
    const value = encodeLease({
      backendType: 'vxlan',
      families: [
        {
          family: 4,
          subnet: prefix('10.15.64.0/20'),
          publicIp: ip('192.168.205.10'),
          backendData: { VNI: 100, VtepMAC: '82:53:2e:6a:a9:43' },
        },
      ],
      node: NODE,
    })
    expect(value).toBe(
      '{"PublicIP":"192.168.205.10","PublicIPv6":null,"BackendType":"vxlan",' +
        '"BackendData":{"VNI":100,"VtepMAC":"82:53:2e:6a:a9:43"},"Node":{"ID":"node-1","Hostname":"host-1"}}',
    )
  })

  it('leaves the type out where there is none', () => {
    const part = {
      family: 4,
      subnet: prefix('10.15.64.0/20'),
      publicIp: ip('192.168.205.10'),
      backendData: undefined,
    } as const
    const value = encodeLease({ backendType: '', families: [part] })
    expect(value).toBe('{"PublicIP":"192.168.205.10","PublicIPv6":null}')
  })
})

describe('nodeIn', () => {
  it('names the node of a value that cannot be honoured for something else', () => {
    expect(nodeIn({ value: '{"PublicIP":"nowhere","Node":{"ID":"n1","Hostname":"one"}}' })).toEqual({
      ...{ id: 'n1', hostname: 'one' },
    })
    for (const value of ['rubbish', '{}', '{"Node":7}', `{"Node":{"ID":"${'x'.repeat(20_000)}"}}`])
      expect(nodeIn({ value })).toBeUndefined()
  })
})

describe('earlierSubnets', () => {
  const value = (earlier: unknown): string =>
    JSON.stringify({ PublicIP: '192.168.205.10', Node: { ID: 'a', Hostname: 'b', Earlier: earlier } })
  const read = (text: string): readonly string[] => earlierSubnets({ value: text }).map((subnet) => subnet.text)

  it('come back as they were written, as many as a lease bears, and are no reason to reject one', () => {
    const subnets = Array.from({ length: 12 }, (_, second) => prefix(`10.${second}.0.0/20`))
    const [family] = [
      { family: 4, subnet: prefix('10.99.0.0/20'), publicIp: ip('192.168.205.10'), backendData: {} },
    ] as const
    const text = encodeLease({ backendType: 'vxlan', families: [family], node: NODE, earlier: subnets })
    expect(read(text)).toEqual(subnets.slice(0, 8).map((subnet) => subnet.text))
    expect(decode(text)).toMatchObject({ node: NODE })
  })

  it.each([
    ['10.1.0.0/20 nonsense fd00::/64', ['10.1.0.0/20', 'fd00::/64']],
    ['', []],
    [7, []],
    [null, []],
  ])('are what can be read of %j', (earlier, expected) => {
    expect(read(value(earlier))).toEqual(expected)
  })

  it.each(['Earlier', '{"Node":"Earlier"}', `"Earlier${'x'.repeat(20_000)}"`])('are none in %.20s', (text) => {
    expect(read(text)).toEqual([])
  })
})
