import { execFileSync, spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { readNeighbourTables } from '../../../src/host/neighbour-tables.ts'

/** Of Linux 6.18 with two processors, one of which has found the table full 0x8fad8 times, the other 0x3ba09 times. */
const ARP =
  'entries  allocs   destroys hash_grows lookups  hits     res_failed rcv_probes_mcast rcv_probes_ucast periodic_gc_runs forced_gc_runs unresolved_discards table_fulls\n' +
  '00000002 00b3bb4d 00aab20b 0001bdab   00daa61d 00114f95 00000a4a   00000000         00000000         000013eb         00090255       0000000c            0008fad8\n' +
  '00000002 00abf083 00b4f9c3 00012f2e   00c912a5 00119183 0000077c   00000000         00000000         00000000         0003bd94       00000007            0003ba09\n'
/** The same columns at other places, as a kernel may have them. */
const NDISC = 'entries table_fulls  allocs\n0000000b 00000001  00000b4d\n0000000b 0000000f  00000083\n'
/** Of Linux 3.10, which does not count it. */
const OLD =
  'entries  allocs destroys hash_grows  lookups hits  res_failed  rcv_probes_mcast rcv_probes_ucast  periodic_gc_runs forced_gc_runs unresolved_discards\n' +
  '00000007  00000009 00000002 00000000  0000fb0e 0000e6fd  00000003  00000000 00000000  0000b2a5 00000000 00000000\n'

const FILES = {
  '/proc/sys/kernel/osrelease': '6.18.44-generic\n',
  '/proc/self/net/stat/arp_cache': ARP,
  '/proc/self/net/stat/ndisc_cache': NDISC,
  '/proc/sys/net/ipv4/neigh/default/gc_thresh3': '1024\n',
  '/proc/sys/net/ipv6/neigh/default/gc_thresh3': '4096\n',
}

/** Undefined: here is another network namespace than the first, or no such tool, which ends with 1 in any case. */
function said(): number | undefined {
  const args = ['-f', 'arp_cache', '-k', 'table_fulls', '-c', '1', '-i', '1', '-s', '0', '-j']
  const { stdout } = spawnSync('lnstat', args, { encoding: 'utf8' })
  const [, sum] = /"table_fulls":(\d+)/.exec(stdout) ?? []
  return sum === undefined ? undefined : Number(sum)
}

const read = (files: Readonly<Record<string, string>>) =>
  readNeighbourTables((path) => {
    const text = files[path]
    return text === undefined ? Promise.reject(new Error(`no such file: ${path}`)) : Promise.resolve(text)
  })

describe('the tables of neighbours', () => {
  it('are told by family: how often each was full on all processors, and for how many there is room', async () => {
    expect(await read(FILES)).toEqual([
      { family: 4, overflows: 0x8fad8 + 0x3ba09, most: 1_024, countsPermanent: false },
      { family: 6, overflows: 16, most: 4_096, countsPermanent: false },
    ])
  })

  it('count permanent entries before Linux 5.0', async () => {
    const [table] = await read({ ...FILES, '/proc/sys/kernel/osrelease': '4.19.0-27-amd64\n' })
    expect(table?.countsPermanent).toBe(true)
    expect((await read({ ...FILES, '/proc/sys/kernel/osrelease': '5.0.0\n' }))[0]?.countsPermanent).toBe(false)
  })

  it('are not known in another network namespace than the first, on an old kernel, or without IPv6', async () => {
    expect(await read({ '/proc/sys/kernel/osrelease': '6.18.44\n' })).toEqual([])
    expect(await read({ ...FILES, '/proc/self/net/stat/arp_cache': OLD })).toMatchObject([{ family: 6 }])
    expect(await read({ ...FILES, '/proc/sys/net/ipv6/neigh/default/gc_thresh3': '' })).toMatchObject([{ family: 4 }])
  })

  it.skipIf(said() === undefined)('are told of this kernel as lnstat(8) and sysctl(8) tell them', async () => {
    const before = said() ?? 0
    const [table] = await readNeighbourTables()
    expect(table?.overflows).toBeGreaterThanOrEqual(before)
    expect(table?.overflows).toBeLessThanOrEqual(said() ?? 0)
    const sysctl = execFileSync('sysctl', ['-n', 'net.ipv4.neigh.default.gc_thresh3'], { encoding: 'utf8' })
    expect(table?.most).toBe(Number(sysctl))
  })
})
