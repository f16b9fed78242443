import { beforeEach, describe, expect, it } from 'vitest'
import { NftPeerFilter } from '../../../../src/firewall/peer-filter/nft-peer-filter.ts'
import { FirewallError } from '../../../../src/kernel/firewall.ts'
import { PeerFilterError } from '../../../../src/kernel/peer-filter.ts'
import { ip } from '../../../../src/net/ip.ts'
import { FakeFirewallTools } from '../../../fake/fake-firewall-tools.ts'

const signal = new AbortController().signal
const OVERLAY = { vni: 100, port: 8472 }
const TABLE = 'inet flannel-peers'
const [A, B, C] = [ip('192.0.2.1'), ip('192.0.2.2'), ip('2001:db8::1')]

let tools: FakeFirewallTools
let filter: NftPeerFilter

beforeEach(() => {
  tools = new FakeFirewallTools()
  filter = new NftPeerFilter(tools.run)
})

const read = (what: 'rules' | 'all' = 'all') => filter.read(OVERLAY, what, signal)
const texts = async (): Promise<readonly string[] | undefined> => (await read())?.peers?.map(({ text }) => text)

/** From now on nft answers so. */
const answer = (change: (args: readonly string[], answer: () => string) => string): void => {
  const run = tools.nft.run.bind(tools.nft)
  tools.nft.run = (args, input) => change(args, () => run(args, input))
}

describe('the peer filter', () => {
  it('is not there before it is installed, beside tables of others', async () => {
    tools.nft.run(['-j', '{"nftables":[{"add":{"table":{"family":"ip","name":"flannel-peers"}}}]}'])
    tools.nft.run(['-j', '{"nftables":[{"add":{"table":{"family":"inet","name":"filter"}}}]}'])
    expect(await read()).toBeUndefined()
    expect(await filter.remove(signal)).toBe(false)
    expect(tools.nft.names).toHaveLength(2)
  })

  it('is read back as it was made, by the next agent too', async () => {
    await filter.install(OVERLAY, [A, C], signal)
    const state = { isWhole: true, peers: [A, C], drops: { packets: 0, forged: 0 }, oneWay: undefined }
    expect(await read()).toEqual(state)
    filter = new NftPeerFilter(tools.run)
    expect(await read()).toEqual(state)
    expect(await read('rules')).toEqual({ ...state, peers: undefined })
  })

  it('is not whole for another overlay', async () => {
    await filter.install(OVERLAY, [A], signal)
    for (const other of [
      { ...OVERLAY, vni: 101 },
      { ...OVERLAY, port: 4789 },
    ])
      expect(await filter.read(other, 'all', signal)).toMatchObject({ isWhole: false })
  })

  it('is whole in the words of an nft that lists rules in a way of its own, as far as this agent made it', async () => {
    answer((_, whole) => whole().replaceAll('"return":null', '"return":{}'))
    await filter.install(OVERLAY, [A], signal)
    expect(await read()).toMatchObject({ isWhole: true })
    for (const other of [
      { ...OVERLAY, vni: 101 },
      { ...OVERLAY, port: 4789 },
    ])
      expect(await filter.read(other, 'all', signal)).toMatchObject({ isWhole: false })
    filter = new NftPeerFilter(tools.run)
    expect(await read()).toMatchObject({ isWhole: false })
  })

  it('is not whole where somebody has taken a rule out, or put more than addresses into a set', async () => {
    await filter.install(OVERLAY, [A], signal)
    const objects = tools.nft.objects(TABLE)
    const rule = objects.pop()
    expect(await read()).toMatchObject({ isWhole: false })
    if (rule !== undefined) objects.push(rule)
    expect(await read()).toMatchObject({ isWhole: true })
    objects.push({ set: { family: 'inet', table: 'flannel-peers', name: 'peers4', elem: [{ range: [] }] } })
    expect(await read()).toMatchObject({ isWhole: false })
  })

  it('lets peers in and out, in one transaction', async () => {
    await filter.install(OVERLAY, [A], signal)
    tools.ran.length = 0
    await filter.change([B, C], [A], signal)
    expect(tools.ran).toEqual(['nft'])
    expect(await texts()).toEqual([B.text, C.text])
    tools.ran.length = 0
    await filter.change([], [], signal)
    expect(tools.ran).toEqual([])
    await expect(filter.change([A], [ip('192.0.2.9')], signal)).rejects.toMatchObject({ op: 'change', code: 'REFUSED' })
    expect(await texts()).toEqual([B.text, C.text])
  })

  it('takes the place of whatever stands under its name', async () => {
    await filter.install(OVERLAY, [A], signal)
    await filter.install({ ...OVERLAY, vni: 7 }, [B], signal)
    expect(await read()).toMatchObject({ isWhole: false, peers: [B] })
  })

  it('counts what it drops', async () => {
    await filter.install(OVERLAY, [A], signal)
    answer((_, whole) => whole().replaceAll('"packets":0', '"packets":12'))
    expect(await filter.read(OVERLAY, 'rules', signal)).toMatchObject({ drops: { packets: 12 } })
  })

  it('takes its table away, and no other', async () => {
    tools.nft.run(['-j', '{"nftables":[{"add":{"table":{"family":"inet","name":"filter"}}}]}'])
    await filter.install(OVERLAY, [A], signal)
    expect(await filter.remove(signal)).toBe(true)
    expect(tools.nft.names).toEqual(['inet filter'])
  })

  it('that somebody removes while it is read is not there', async () => {
    await filter.install(OVERLAY, [A], signal)
    answer((args, whole) => {
      if (args.includes('table')) tools.nft.delete(TABLE)
      return whole()
    })
    expect(await read()).toBeUndefined()
  })
})

describe('an nft that fails', () => {
  it.each([
    [new FirewallError('nft', 'MISSING', 'no'), 'MISSING', /install the package nftables/],
    [new FirewallError('nft', 'TIMEOUT', 'nft did not end'), 'TIMEOUT', /^nft did not end$/],
    [new FirewallError('nft', 'REFUSED', 'not permitted'), 'REFUSED', /^not permitted$/],
  ])('is told as it is: $code', async (error, code, message) => {
    tools.broken.set('nft', error)
    for (const [op, call] of [
      ['read', () => read()],
      ['install', () => filter.install(OVERLAY, [A], signal)],
      ['change', () => filter.change([A], [], signal)],
      ['remove', () => filter.remove(signal)],
    ] as const) {
      const failure: unknown = await call().catch((reason: unknown) => reason)
      expect(failure).toBeInstanceOf(PeerFilterError)
      expect(failure).toMatchObject({ op, code, message: expect.stringMatching(message) as unknown })
    }
  })

  it('is told when it refuses to list what is there', async () => {
    await filter.install(OVERLAY, [A], signal)
    answer((args, whole) => {
      if (args.includes('table')) throw new FirewallError('nft', 'REFUSED', 'not permitted')
      return whole()
    })
    await expect(read()).rejects.toMatchObject({ op: 'read', code: 'REFUSED' })
  })

  it.each(['', '{}', '[', 'table inet filter'])('is told when it answers %j', async (text) => {
    tools.nft.run = () => text
    await expect(read()).rejects.toMatchObject({ op: 'read', code: 'UNREADABLE' })
  })

  it('does not hide a mistake of ours', async () => {
    const mistake = new TypeError('a mistake')
    tools.nft.run = () => {
      throw mistake
    }
    await expect(read()).rejects.toBe(mistake)
  })
})
