import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeFileAtomically } from '../../../src/host/files/atomic-file.ts'
import {
  isSubnetEnv,
  parseNetworks,
  parseSubnets,
  readPreviousSubnets,
  renderSubnetEnv,
} from '../../../src/host/subnet-env.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { OVERLAY, overlayOf } from '../../fake/samples.ts'

const V4 = { overlay: OVERLAY, subnet: prefix('10.15.64.0/20') }
const V6 = {
  overlay: overlayOf('{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:10::/48"}'),
  subnet: prefix('fd00:10:0:40::/64'),
}

describe('parseNetworks', () => {
  it('reads back what was written, in both families', () => {
    const text = renderSubnetEnv({ subnets: [V4, V6], mtu: 1430, ipMasq: false })
    expect(parseNetworks(text)).toEqual([
      { network: OVERLAY.network, subnetLength: 20 },
      { network: prefix('fd00:10::/48'), subnetLength: 64 },
    ])
  })

  it.each([
    ['no network', 'FLANNEL_SUBNET=10.15.64.1/20\n'],
    ['no subnet', 'FLANNEL_NETWORK=10.0.0.0/8\n'],
    ['a network of the other family', 'FLANNEL_NETWORK=fd00::/48\nFLANNEL_SUBNET=10.15.64.1/20\n'],
    ['nonsense', 'FLANNEL_NETWORK=x\nFLANNEL_SUBNET=10.15.64.1/20\n'],
  ])('finds none in a file with %s', (_, text) => {
    expect(parseNetworks(text)).toEqual([])
  })
})

describe('renderSubnetEnv', () => {
  it('is what docker, CNI and systemd read, to the byte', () => {
    expect(renderSubnetEnv({ subnets: [V4], mtu: 1450, ipMasq: true })).toBe(
      'FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=10.15.64.1/20\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
    )
  })

  it('adds IPv6 after IPv4', () => {
    expect(renderSubnetEnv({ subnets: [V4, V6], mtu: 1430, ipMasq: false })).toBe(
      'FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=10.15.64.1/20\n' +
        'FLANNEL_IPV6_NETWORK=fd00:10::/48\nFLANNEL_IPV6_SUBNET=fd00:10:0:40::1/64\n' +
        'FLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n',
    )
  })
})

describe('parseSubnets', () => {
  const parse = (text: string): readonly string[] => parseSubnets(text).map((subnet) => subnet.text)

  it('reads back what was written', () => {
    expect(parse(renderSubnetEnv({ subnets: [V4, V6], mtu: 1430, ipMasq: false }))).toEqual([
      '10.15.64.0/20',
      'fd00:10:0:40::/64',
    ])
  })

  it('puts up with quotes, blanks, carriage returns, comments and what it does not know', () => {
    expect(parse('# made by hand\r\n  FLANNEL_SUBNET="10.15.64.1/20"\r\nA=b=c\n\nnonsense')).toEqual(['10.15.64.0/20'])
    expect(parse("FLANNEL_SUBNET='10.15.64.1/20'")).toEqual(['10.15.64.0/20'])
  })

  it.each([
    '',
    'FLANNEL_SUBNET=',
    'FLANNEL_SUBNET=10.15.64.1',
    'FLANNEL_SUBNET=fd00::1/64',
    'FLANNEL_IPV6_SUBNET=10.0.0.1/8',
  ])('finds nothing in %j', (text) => {
    expect(parse(text)).toEqual([])
  })
})

describe('isSubnetEnv', () => {
  it.each(['FLANNEL_SUBNET=10.1.2.1/24\nFLANNEL_MTU=1450\n', 'FLANNEL_IPMASQ=true'])('takes %j', (text) => {
    expect(isSubnetEnv(text)).toBe(true)
  })

  it.each(['', '\n', 'root:x:0:0::/:/bin/sh\n', 'FLANNEL_MTU=1450\nPATH=/bin\n', '# FLANNEL_MTU=1\n', '\0'])(
    'refuses %j',
    (text) => {
      expect(isSubnetEnv(text)).toBe(false)
    },
  )
})

describe('the subnet file', () => {
  let directory: string
  let path: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'subnet-env-'))
    path = join(directory, 'subnet.env')
  })
  afterEach(async () => {
    await rm(directory, { recursive: true })
  })

  const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777

  it('is written whole, for all to read, whatever the umask', async () => {
    const before = process.umask(0o077)
    try {
      await writeFileAtomically(path, 'new\n')
    } finally {
      process.umask(before)
    }
    expect(await readFile(path, 'utf8')).toBe('new\n')
    expect(await modeOf(path)).toBe(0o644)
    expect(await readdir(directory)).toEqual(['subnet.env'])
  })

  it('gets the directories it needs', async () => {
    await writeFileAtomically(join(directory, 'a', 'b', 'subnet.env'), 'new\n')
    expect(await readFile(join(directory, 'a', 'b', 'subnet.env'), 'utf8')).toBe('new\n')
  })

  it('fails where no directory can be made, in the words of the kernel, and does not try for ever', async () => {
    for (const folder of ['/proc/x', '/proc/x/y'])
      await expect(writeFileAtomically(join(folder, 'subnet.env'), 'new\n')).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('is replaced, not rewritten: who has the old one open reads it to its end', async () => {
    await writeFile(path, 'old and long\n')
    await chmod(path, 0o600)
    const reader = await open(path)
    try {
      await writeFileAtomically(path, 'new\n')
      expect(await reader.readFile('utf8')).toBe('old and long\n')
    } finally {
      await reader.close()
    }
    expect(await readFile(path, 'utf8')).toBe('new\n')
    expect(await modeOf(path)).toBe(0o644)
  })

  it('stays as it was when the new one cannot take its place, and leaves nothing beside it', async () => {
    await mkdir(join(path, 'occupied'), { recursive: true })
    await expect(writeFileAtomically(path, 'new\n')).rejects.toMatchObject({ kind: 'a directory' })
    expect(await readdir(directory)).toEqual(['subnet.env'])
    expect(await readdir(path)).toEqual(['occupied'])
  })

  it('cannot be below a file', async () => {
    await writeFile(path, 'old\n')
    await expect(writeFileAtomically(join(path, 'x', 'subnet.env'), 'new\n')).rejects.toMatchObject({ code: 'ENOTDIR' })
    expect(await readFile(path, 'utf8')).toBe('old\n')
  })

  it('survives many writers at once: one of them wins, whole', async () => {
    const texts = Array.from({ length: 20 }, (_, writer) => `${String(writer).repeat(10_000)}\n`)
    await Promise.all(texts.map((text) => writeFileAtomically(path, text)))
    expect(texts).toContain(await readFile(path, 'utf8'))
    expect(await readdir(directory)).toEqual(['subnet.env'])
  })

  it('names the subnets of the previous run, and none when it is not there or not readable', async () => {
    await writeFileAtomically(path, renderSubnetEnv({ subnets: [V4], mtu: 1450, ipMasq: false }))
    expect((await readPreviousSubnets(path)).map(({ text }) => text)).toEqual(['10.15.64.0/20'])
    expect(await readPreviousSubnets(join(directory, 'missing'))).toEqual([])
    expect(await readPreviousSubnets(directory)).toEqual([])
  })
})
