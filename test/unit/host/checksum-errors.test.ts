import { describe, expect, it } from 'vitest'
import { readChecksumErrors } from '../../../src/host/checksum-errors.ts'

const SNMP = `Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm InErrs OutRsts InCsumErrors
Tcp: 1 0 2 3
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 10 1 4 12 0 0 4 0 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 0 0 0 0 0 99 0 0
`
const SNMP6 = 'Udp6InErrors                    \t9\nUdp6InCsumErrors                \t5\n'

const reader = (files: Readonly<Record<string, string>>) => (path: string) => {
  const text = files[path]
  return text === undefined ? Promise.reject(new Error('no such file')) : Promise.resolve(text)
}

describe('packets with a wrong checksum', () => {
  it('are those of TCP and of UDP in both families', async () => {
    const files = { '/proc/self/net/snmp': SNMP, '/proc/self/net/snmp6': SNMP6 }
    expect(await readChecksumErrors(reader(files))).toBe(12)
  })

  it('are those of IPv4 where the kernel has no IPv6', async () => {
    expect(await readChecksumErrors(reader({ '/proc/self/net/snmp': SNMP }))).toBe(7)
  })

  it('are not known where the kernel does not count them', async () => {
    expect(await readChecksumErrors(reader({}))).toBeUndefined()
    expect(await readChecksumErrors(reader({ '/proc/self/net/snmp': 'Tcp: InErrs\nTcp: 1\n' }))).toBeUndefined()
  })

  it('are counted by this kernel', async () => {
    expect(await readChecksumErrors()).toBeGreaterThanOrEqual(0)
  })
})
