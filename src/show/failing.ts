import { since, until } from '../present/age.ts'
import { labelled } from '../present/lines.ts'
import type { Hue } from '../present/paint.ts'
import { table, WIDEST_SENTENCE, type Column, type Looks } from '../present/table.ts'
import type { ConditionStatus, Counted, PendingStatus, RejectedStatus } from '../status/document.ts'
import { printable } from '../text/printable.ts'

const HUES: Readonly<Record<ConditionStatus['effect'], Hue>> = {
  unready: 'bad',
  incomplete: 'bad',
  degraded: 'warn',
  none: 'dim',
}

const INDENT = '  '

/** Each with its reason, those that others follow from first. */
export const conditionLines = (conditions: readonly ConditionStatus[], at: number, looks: Looks): string =>
  labelled(
    conditions.map(({ what, reason, effect, since: from }) => {
      const head = `${effect === 'none' ? 'noted' : effect} for ${since(from, at)}`
      return [printable(what), `${looks.paint(HUES[effect], head)}: ${printable(reason)}`]
    }),
    { ...looks, indent: INDENT },
  )

/** What a table of the first rows leaves out, and where it stands. */
const rest = (total: number, shown: number, command: string): string =>
  total > shown ? `${INDENT}… and ${total - shown} more: ${command}\n` : ''

export function pendingTable({ total, rows }: Counted<PendingStatus>, most: number, at: number, looks: Looks): string {
  const columns: readonly Column<PendingStatus>[] = [
    { title: 'TABLE', cell: ({ table: name }) => name },
    { title: 'ENTRY', cell: ({ row }) => printable(row), least: 20, most: WIDEST_SENTENCE },
    { title: 'PEER', cell: ({ peer }) => printable(peer ?? '–'), least: 10, spare: 2 },
    { title: 'AGAIN', cell: ({ until: time }) => (time === null ? 'at once' : until(time, at)), spare: 1 },
    { title: 'WHY', cell: ({ why }) => printable(why), least: 20, most: WIDEST_SENTENCE },
  ]
  const shown = rows.slice(0, most)
  return table(columns, shown, { ...looks, indent: INDENT }) + rest(total, shown.length, 'flanneld status --json')
}

export function rejectedTable({ total, rows }: Counted<RejectedStatus>, most: number, looks: Looks): string {
  const columns: readonly Column<RejectedStatus>[] = [
    { title: 'LEASE', cell: ({ subnet, key }) => printable(subnet ?? key), least: 18 },
    { title: 'OF', cell: ({ name, publicIp }) => printable(name ?? publicIp ?? '–'), least: 12, spare: 1 },
    { title: 'WHY', cell: ({ reason }) => printable(reason), least: 20, most: WIDEST_SENTENCE },
  ]
  const shown = rows.slice(0, most)
  return table(columns, shown, { ...looks, indent: INDENT }) + rest(total, shown.length, 'flanneld leases')
}
