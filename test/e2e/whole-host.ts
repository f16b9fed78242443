import type { LabHost } from '../lab/index.ts'

const COMMANDS = [
  ...['ip -o link', 'ip -o address', 'ip route', 'ip -6 route', 'bridge fdb', 'ip neighbour show nud permanent'],
  ...['ip -6 neighbour show nud permanent', 'iptables-save', 'ip6tables-save', 'iptables-legacy-save'],
  ...['ip6tables-legacy-save', 'find /run -path *flannel* -type f'],
]

/** Of iptables: comments, tables, and built-in chains as the kernel makes them when somebody first asks for a table. */
const FRAME = /^(?:#|\*|COMMIT|:[A-Z]+ ACCEPT)/
/** What the kernel makes for itself, and what a bridge has learned. */
const KERNELS_OWN = /fe80:|ff0\d::|33:33:|01:00:5e|master docker0 $/
/** What the kernel counts, numbers, and decides in its own time. */
const VARIABLE = /^\d+: |\[\d+:\d+\]|packets \d+ bytes \d+| (?:tentative|linkdown)|state [A-Z]+/g
/** Where iptables keeps its rules in nftables: it shows them itself. */
const OF_IPTABLES = /^table ip6? (?:filter|nat|mangle|raw|security) /

/** Everything on that host, as other people's tools show it; handles, counters, times and indices left out. */
export async function everything({ place }: LabHost): Promise<readonly string[]> {
  const output = (command: string): Promise<string> => place.exec('sh', ['-c', `${command} 2>/dev/null`])
  const [ruleset = '', ...texts] = await Promise.all(['nft list ruleset', ...COMMANDS].map(output))
  const tables = ruleset.split(/^(?=table )/m).filter((table) => !OF_IPTABLES.test(table))
  return [...tables, ...texts]
    .flatMap((text) => text.split('\n'))
    .filter((line) => line !== '' && !FRAME.test(line) && !KERNELS_OWN.test(line))
    .map((line) => line.replaceAll(VARIABLE, ''))
}

/** What stands now and did not then, and the other way round. */
export const difference = (now: readonly string[], then: readonly string[]): readonly string[] => [
  ...now.filter((line) => !then.includes(line)).map((line) => `+ ${line}`),
  ...then.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
]
