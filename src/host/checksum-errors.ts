import { readFileSync } from 'node:fs'

/** Counters of IP, a line of names and one of numbers for each protocol; of IPv6, a name and a number in each line. */
const FILES = ['/proc/self/net/snmp', '/proc/self/net/snmp6'] as const

/**
 * Packets of TCP and UDP that the kernel has dropped in this network namespace for a wrong checksum (Tcp and Udp InCsumErrors; TCP counts
 * both families in one). Undefined where it does not say. Never rejects.
 */
export async function readChecksumErrors(
  // not by another thread: the kernel has them at hand
  read: (path: string) => Promise<string> = (path) => Promise.resolve().then(() => readFileSync(path, 'latin1')),
): Promise<number | undefined> {
  const [snmp, snmp6] = await Promise.all(FILES.map((path) => read(path).catch(() => '')))
  const counts = [countIn(snmp ?? '', 'Tcp'), countIn(snmp ?? '', 'Udp')]
  const [, ofUdp6] = /^Udp6InCsumErrors\s+(\d+)$/m.exec(snmp6 ?? '') ?? []
  if (counts.every((count) => count === undefined)) return undefined
  return [...counts, Number(ofUdp6 ?? 0)].reduce<number>((sum, count) => sum + (count ?? 0), 0)
}

function countIn(snmp: string, protocol: string): number | undefined {
  const [names, numbers] = snmp.split('\n').filter((line) => line.startsWith(`${protocol}: `))
  const at = names?.split(' ').indexOf('InCsumErrors') ?? -1
  const count = at < 0 ? Number.NaN : Number(numbers?.split(' ')[at])
  return Number.isNaN(count) ? undefined : count
}
