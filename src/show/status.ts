import { counted, since } from '../present/age.ts'
import { labelled } from '../present/lines.ts'
import type { Hue } from '../present/paint.ts'
import type { Looks } from '../present/table.ts'
import type { StatusDocument } from '../status/document.ts'
import { printable } from '../text/printable.ts'
import { eventLines } from './events.ts'
import { facts } from './facts.ts'
import { conditionLines, pendingTable, rejectedTable } from './failing.ts'
import { notReachableTable } from './peers.ts'

/** So many rows of a table fit on a screen beside the rest. */
const ROWS = 5

/** `flanneld status`, for people: what is wrong in the first line, the rest on one screen. */
export function showStatus(status: StatusDocument, looks: Looks): string {
  const at = Date.parse(status.at)
  return [
    headline(status, at, looks),
    labelled(facts(status, at), looks),
    section('What fails', conditionLines(status.conditions, at, looks), looks),
    section('Peers that are not reachable', notReachableTable(status.peers, ROWS, at, looks), looks),
    section('Entries that are not in the kernel', pendingTable(status.pending, ROWS, at, looks), looks),
    section('Leases that are not used', rejectedTable(status.rejected, ROWS, looks), looks),
    section('Last events', eventLines(status.events.slice(-ROWS), at, looks), looks),
  ].join('')
}

const section = (title: string, text: string, { paint }: Looks): string =>
  text === '' ? '' : `\n${paint('bold', title)}\n${text}`

const HUES: Readonly<Record<StatusDocument['state'], Hue>> = { ready: 'good', degraded: 'warn', unready: 'bad' }

/** How it is and why, and what to do next. */
function headline(status: StatusDocument, at: number, { paint }: Looks): string {
  const { state, node, conditions, agent, rejected } = status
  const words = `${printable(node.hostname)} is ${state === 'unready' ? 'not ready' : state}`
  const [first, ...others] = conditions
  if (first === undefined) {
    const upFor = `its agent is up for ${since(agent.startedAt, at)}\n`
    if (rejected.total === 0) return `${paint(HUES[state], words)}; ${upFor}\n`
    const left = `, but ${counted(rejected.total, 'lease')} of others ${rejected.total === 1 ? 'is' : 'are'} not used`
    return `${paint('warn', words + left)}; ${upFor}${paint('bold', 'next: flanneld doctor')}\n\n`
  }
  const more = others.length === 0 ? '' : ` (and ${counted(others.length, 'thing')} more)`
  const why = `${printable(first.what)}: ${printable(first.reason)}${more}`
  const next = state === 'ready' ? '' : `${paint('bold', 'next: flanneld doctor')}\n`
  return `${paint(HUES[state], words)}, for ${since(first.since, at)}: ${why}\n${next}\n`
}
