import { roomCure, settingName, tableName, type NeighbourTable } from '../../kernel/neighbour-table.ts'
import type { Family } from '../../net/ip.ts'
import type { Check, Finding } from '../finding.ts'
import type { View } from '../view.ts'

/** Whether one of the kernel's tables of neighbours is full: it was while peers were asked, or the agent says so of the last minutes. */
export const neighbourTables: Check<View> = {
  name: 'tables of neighbours',
  async look({ agent, suspects, host }) {
    const before = await host.neighbourTables()
    const status = await agent()
    await suspects()
    const peers = Math.max(0, ...(status?.families ?? []).map(({ tables }) => tables.peers))
    return (await host.neighbourTables()).flatMap((table) => {
      const first = before.find(({ family }) => family === table.family)
      const condition = status?.conditions.find(({ what }) => what === `neighbour table of IPv${table.family}`)
      return judgeNeighbours({
        table,
        rise: table.overflows - (first ?? table).overflows,
        said: condition?.reason,
        peers,
      })
    })
  },
}

export interface NeighbourFacts {
  readonly table: NeighbourTable
  /** How often it was full while doctor looked. */
  readonly rise: number
  /** What the agent says. */
  readonly said: string | undefined
  readonly peers: number
}

/** Pure. */
export function judgeNeighbours({ table, rise, said, peers }: NeighbourFacts): readonly Finding[] {
  if (rise <= 0 && said === undefined) return []
  const { family, most, overflows } = table
  return [
    {
      cause: 'neighbours-full',
      severity: 'broken',
      covers: 'all peers',
      summary: `the kernel's table of IPv${family} neighbours is full (${most} entries): packets to whoever is not in it are lost, be it a peer, a gateway or the store`,
      evidence: [
        `/proc/net/stat/${tableName(family)}, table_fulls: ${overflows}${rise > 0 ? `, ${rise} of them since doctor looks` : ''}; ` +
          `dmesg says "neighbour: ${tableName(family)}: neighbor table overflow!"`,
        `sysctl ${settingName(family, 3)}: ${most}, for all network namespaces of this host together`,
        ...(said === undefined ? [] : [`the agent: ${said.replace(/\.? Cure: .*/, '')}`]),
      ],
      cure: [roomCure(family, most, peers), whoFillsIt(family)],
      explains: [`neighbour table of IPv${family}`, ...SILENCE],
    },
  ]
}

/** Conditions that say of peers that they do not answer. */
const SILENCE = ['answers of peers*', 'losses to peers*'] as const

const whoFillsIt = (family: Family): string =>
  `ip -${family} neigh show nud all | wc -l, here and in each container (ip netns, nsenter -n): who has so many; a program that scans a network fills it, too`
