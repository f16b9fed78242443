import { describe, expect, it } from 'vitest'
import { leasesView, type LeaseRow, type LeasesInput } from '../../../src/admin/leases.ts'
import { showLeases } from '../../../src/admin/show/leases.ts'
import { parseNetworkConfig } from '../../../src/config/network.ts'
import type { LeaseRecord } from '../../../src/lease/store.ts'
import { plainly } from '../../../src/present/paint.ts'

const CONFIG = parseNetworkConfig('{"Network":"10.0.0.0/16","SubnetLen":20,"SubnetMin":"10.0.16.0"}')

const record = (key: string, value: object | string, etcdLeaseId = '7'): LeaseRecord => ({
  ...{ key, etcdLeaseId, createRevision: 5n, modRevision: 9n },
  value: typeof value === 'string' ? value : JSON.stringify(value),
})

const of = (octet: number, node?: string): object => ({
  ...{ PublicIP: `192.168.205.${octet}`, BackendType: 'vxlan' },
  ...(node === undefined ? {} : { Node: { ID: node, Hostname: `host-${node}` } }),
})

const view = (records: readonly LeaseRecord[], more: Partial<LeasesInput> = {}): ReturnType<typeof leasesView> =>
  leasesView({ records, revision: 40n, config: CONFIG, nodeId: 'seven', lives: new Map(), ...more })

const problems = (rows: readonly LeaseRow[]): Record<string, readonly string[]> =>
  Object.fromEntries(rows.map(({ key, problems: all }) => [key, all]))

describe('all leases', () => {
  it('come in the order of their addresses, each with who holds it, what is ours, and when it ends', () => {
    const records = [
      record('10.0.240.0-20', of(9)),
      record('10.0.32.0-20', of(7, 'seven')),
      record('10.0.112.0-20', { PublicIP: '192.168.205.8' }, '0'),
    ]
    const lives = new Map([['7', { leftSeconds: 86_000, grantedSeconds: 86_400 }]])
    const { leases } = view(records, { lives })
    expect(leases.map(({ key, isOurs, isReservation }) => [key, isOurs, isReservation])).toEqual([
      ['10.0.32.0-20', true, false],
      ['10.0.112.0-20', false, true],
      ['10.0.240.0-20', false, false],
    ])
    expect(leases[0]).toMatchObject({
      ...{ hostname: 'host-seven', publicIps: ['192.168.205.7'], backend: 'vxlan' },
      ...{ secondsLeft: 86_000, renewedSecondsAgo: 400, createRevision: '5', problems: [] },
    })
    expect(leases[1]).toMatchObject({ secondsLeft: null, renewedSecondsAgo: null, backend: null })
  })

  it('are marked where they overlap, share an address, lie outside, or cannot be read', () => {
    const { leases } = view([
      record('10.0.32.0-20', of(7)),
      record('10.0.32.0-24', of(8)),
      record('10.0.48.0-20', of(7)),
      record('10.0.64.0-20', '{'),
      record('10.9.0.0-20', of(10)),
      record('junk\u001b[31m', of(11)),
    ])
    const found = problems(leases)
    expect(found['10.0.32.0-20']).toEqual(['overlaps 10.0.32.0-24', 'has the PublicIP of 10.0.48.0-20'])
    expect(found['10.0.32.0-24']).toEqual(['overlaps 10.0.32.0-20', '10.0.32.0/24 is no subnet of /20'])
    expect(found['10.0.64.0-20']?.join()).toMatch(/valid JSON/)
    expect(found['10.9.0.0-20']).toEqual(['10.9.0.0/20 is not from 10.0.16.0 to 10.0.240.0 in 10.0.0.0/16'])
    expect(leases.at(-1)?.problems.join()).toMatch(/not a subnet/)
  })

  it('shows what is wrong, and no control characters of others', () => {
    const text = showLeases(view([record('10.0.32.0-20', of(7)), record('junk\u001b[31m', of(11))]), 'here', {
      ...{ paint: plainly, width: undefined },
    })
    expect(text).toMatch(/^2 leases, in here at revision 40\n14 of 15 subnets of \/20 in 10\.0\.0\.0\/16 are free/)
    expect(text).toContain('What is wrong with them')
    expect(text).not.toContain('\u001b')
  })

  it('of ten thousand are judged at once', () => {
    const config = parseNetworkConfig('{"Network":"10.0.0.0/8"}')
    const records = Array.from({ length: 10_000 }, (_, at) =>
      record(`10.${1 + (at >> 8)}.${at & 255}.0-24`, { PublicIP: `172.16.${at >> 8}.${at & 255}` }),
    )
    const { leases, free } = view(records, { config })
    expect(leases.filter(({ problems: all }) => all.length > 0)).toEqual([])
    expect(free?.[0]).toMatchObject({ total: '65535', taken: '10000', free: '55535' })
  })
})
