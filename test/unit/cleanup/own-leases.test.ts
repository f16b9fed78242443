import { describe, expect, it } from 'vitest'
import { judgeLease, type HostTitle } from '../../../src/cleanup/own-leases.ts'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { AddressState, LinkState } from '../../../src/kernel/kernel.ts'
import type { Scope } from '../../../src/kernel/words.ts'
import { deviceSpecOn, leaseRecord, leaseValue, NODE } from '../../fake/samples.ts'

const KEY = '10.15.64.0-20'
const [HERE, ELSEWHERE] = ['192.168.205.10', '192.168.205.11']
const MAC = '02:00:00:00:00:01'
const OTHER = { id: 'node-2', hostname: 'host-2' }

const address = (text: string, scope: Scope = 'global'): AddressState => ({
  ...{ linkIndex: 2, ip: ip(text), prefixLength: 24, scope, flags: [] },
})

const DEVICE: LinkState = {
  ...{ index: 7, name: 'flannel.100', mac: mac(MAC), mtu: 1450, up: true, carrier: true, loopback: false },
  ...{ kind: 'vxlan', alias: 'flannel-agent', master: undefined },
  vxlan: { ...deviceSpecOn(2).vxlan, learning: false, external: false, ttl: 0, udpChecksum: false },
}

/** A host that shows nothing of any lease but that it has an address. */
const BARE: HostTitle = {
  ...{ node: NODE, addresses: [address(HERE), address('127.0.0.1', 'host')], links: [], subnets: [] },
}
const FILE: Partial<HostTitle> = { subnets: [prefix('10.15.64.0/20')] }
const ON_DEVICE: Partial<HostTitle> = { links: [DEVICE] }

const value = (publicIp: string, node?: typeof NODE): string =>
  leaseValue({ publicIp, mac: MAC, ...(node === undefined ? {} : { node }) })

const verdictOn = (text: string, host: Partial<HostTitle> = {}, etcdLeaseId = '7') =>
  judgeLease(leaseRecord(KEY, text, { etcdLeaseId }), { ...BARE, ...host }, '/coreos.com/network').verdict

const kept = (why: string): unknown => ({ kind: 'kept', why: expect.stringContaining(why) as unknown })

describe('a lease with our node id', () => {
  it('is ours beyond doubt where this host also has its address and shows its subnet or its MAC', () => {
    expect(verdictOn(value(HERE, NODE), FILE)).toEqual({ kind: 'ours' })
    expect(verdictOn(value(HERE, NODE), ON_DEVICE)).toEqual({ kind: 'ours' })
  })

  it.each<[string, string, Partial<HostTitle>, boolean]>([
    ['nothing here shows it', HERE, {}, true],
    ['it is at another address', ELSEWHERE, {}, false],
    ['it is at another address, though the device has its MAC', ELSEWHERE, ON_DEVICE, false],
  ])('has to be asked for where %s: a copy of this machine has the same id', (_, publicIp, host, hasOurAddress) => {
    expect(verdictOn(value(publicIp, NODE), host)).toEqual({
      kind: 'doubtful',
      hasOurAddress,
      lease: expect.objectContaining({ node: NODE }) as unknown,
    })
  })

  it('has to be asked for where another host name wrote it', () => {
    expect(verdictOn(value(HERE, { ...NODE, hostname: 'copy' }), FILE).kind).toBe('doubtful')
  })
})

describe('a lease of upstream, without a node id', () => {
  it('is ours where this host has its address, or its MAC on the device', () => {
    expect(verdictOn(value(HERE))).toEqual({ kind: 'ours' })
    expect(verdictOn(value(ELSEWHERE), ON_DEVICE)).toEqual({ kind: 'ours' })
  })

  it('stays where only the subnet file names it: that may be of another time', () => {
    expect(verdictOn(value(ELSEWHERE), FILE)).toEqual(kept(`it may be that of the node at ${ELSEWHERE} by now`))
  })

  it('has nothing to do with us at an address that every host has', () => {
    expect(verdictOn(value('127.0.0.1'))).toEqual({ kind: 'unrelated' })
  })

  it('is ours in both families or not at all', () => {
    const record = leaseRecord(
      `${KEY}&fd00:10:0:40::-64`,
      JSON.stringify({ PublicIP: HERE, PublicIPv6: 'fd00::10', BackendType: 'vxlan', BackendData: { VtepMAC: MAC } }),
      { etcdLeaseId: '7' },
    )
    const verdict = (addresses: readonly AddressState[]) => judgeLease(record, { ...BARE, addresses }, '/x').verdict
    expect(verdict([address(HERE), address('fd00::10')])).toEqual({ kind: 'ours' })
    expect(verdict([address(HERE)])).toEqual({ kind: 'unrelated' })
  })
})

describe("another node's lease", () => {
  it('stays where it has our subnet by now, or our address, and its owner is named', () => {
    expect(verdictOn(value(ELSEWHERE, OTHER), FILE)).toEqual(kept('it belongs to host-2 (node-2)'))
    expect(verdictOn(value(HERE, OTHER))).toEqual(kept('it belongs to host-2 (node-2)'))
  })

  it('is nothing to speak of otherwise', () => {
    expect(verdictOn(value(ELSEWHERE, OTHER))).toEqual({ kind: 'unrelated' })
    expect(verdictOn(value(ELSEWHERE))).toEqual({ kind: 'unrelated' })
  })
})

describe('a reservation', () => {
  it('of ours stays, and how to delete it is said', () => {
    const command = `etcdctl del '/coreos.com/network/subnets/${KEY}'`
    expect(verdictOn(value(HERE, NODE), FILE, '0')).toEqual(kept(command))
    expect(verdictOn(value(HERE), {}, '0')).toEqual(kept(command))
  })

  it("of another node stays as that node's", () => {
    expect(verdictOn(value(ELSEWHERE, OTHER), FILE, '0')).toEqual(kept('it belongs to host-2'))
  })
})

describe('a key that cannot be read', () => {
  it('stays, and is spoken of only where the subnet file names it', () => {
    expect(verdictOn('no JSON', FILE)).toEqual(kept('it cannot be read'))
    const both = leaseRecord(`${KEY}&fd00:10::-64`, 'no JSON')
    expect(judgeLease(both, { ...BARE, ...FILE }, '/x').verdict).toEqual(kept('it cannot be read'))
    expect(verdictOn('no JSON')).toEqual({ kind: 'unrelated' })
  })
})
