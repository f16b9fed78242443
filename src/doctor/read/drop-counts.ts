import { readFile } from 'node:fs/promises'

/** Tables of `NAME: heads` and `NAME: values` (net/ipv4/proc.c), and of lines of a name and a value (net/ipv6/proc.c, net/xfrm/xfrm_proc.c). */
const IN_PAIRS = ['/proc/self/net/snmp', '/proc/self/net/netstat']
const IN_LINES = ['/proc/self/net/snmp6', '/proc/self/net/xfrm_stat']

/** Those that say that a packet was not delivered, or did not leave, and why. */
const OF_DROPS =
  /^(Ip6?(In(HdrErrors|AddrErrors|Discards|NoRoutes|TruncatedPkts)|Out(Discards|NoRoutes))|Udp6?(NoPorts|InErrors|RcvbufErrors|InCsumErrors|MemErrors)|TcpExt(IPReversePathFilter|ArpFilter)|IpExtIn(NoRoutes|CsumErrors)|Xfrm\w+)$/

/** What the kernel has counted of packets that it drops, by the names of nstat(8). What cannot be read is left out. */
export async function readDropCounts(): Promise<ReadonlyMap<string, number>> {
  const [pairs, lines] = await Promise.all([Promise.all(IN_PAIRS.map(textOf)), Promise.all(IN_LINES.map(textOf))])
  const all = [...pairs.flatMap(countsInPairs), ...lines.flatMap(countsInLines)]
  return new Map(all.filter(([name]) => OF_DROPS.test(name)))
}

const textOf = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')

type Count = readonly [name: string, value: number]

/** Pure. */
export function countsInPairs(text: string): readonly Count[] {
  const lines = text.split('\n')
  return lines.flatMap((line, at) => {
    if (at % 2 === 1) return []
    const [head = '', ...names] = line.split(' ')
    const values = (lines[at + 1] ?? '').split(' ').slice(1)
    return names.map((name, nth): Count => [`${head.slice(0, -1)}${name}`, Number(values[nth])])
  })
}

/** Pure. */
export const countsInLines = (text: string): readonly Count[] =>
  Array.from(text.matchAll(/^(\w+)\s+(\d+)$/gm), ([, name = '', value]): Count => [name, Number(value)])

/** What has risen by as many as were asked at least, in words: fewer are of others. Pure. */
export const risen = (
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  asked: number,
): readonly string[] =>
  [...after].flatMap(([name, value]) => {
    const by = value - (before.get(name) ?? value)
    return by >= asked ? [`${name} +${by}`] : []
  })
