import { ago } from '../present/age.ts'
import type { Hue } from '../present/paint.ts'
import { table, type Column, type Looks } from '../present/table.ts'
import type { StatusEvent } from '../status/document.ts'
import { printable } from '../text/printable.ts'

const HUES: Readonly<Record<StatusEvent['level'], Hue | undefined>> = { info: undefined, warn: 'warn', error: 'bad' }

/** It stands last, and is cut by no terminal: the whole sentence, as our own are. */
const LONGEST_EVENT = 400

/** Events with how long ago each was, the newest last. */
export function eventLines(events: readonly StatusEvent[], at: number, looks: Looks): string {
  const columns: readonly Column<StatusEvent>[] = [
    { title: 'WHEN', cell: ({ at: time }) => ago(time, at) },
    { title: 'LEVEL', cell: ({ level }) => ({ text: level, hue: HUES[level] }) },
    { title: 'EVENT', cell: (event) => printable(`${event.text}${whoOf(event)}`), most: LONGEST_EVENT },
  ]
  return table(columns, events, { ...looks, width: undefined, indent: '  ' })
}

/** Whom it is about, where its words do not say so. */
function whoOf({ text, fields }: StatusEvent): string {
  const name = ['node', 'peer', 'publicIp', 'subnet'].find((key) => Object.hasOwn(fields, key))
  const value = name === undefined ? '' : String(fields[name])
  return name === undefined || text.includes(value) ? '' : ` ${name}=${value}`
}

/** One event as it comes, with its time, and those of its fields that its words do not say already. */
export function eventLine(event: StatusEvent, { paint }: Looks): string {
  const { at, level, text, fields } = event
  const hue = HUES[level]
  const shown = Object.entries(fields)
    .filter(([key, value]) => !isSaid(key, String(value), text))
    .map(([key, value]) => `${printable(key)}=${printable(String(value))}`)
  const words = `${level.padEnd(5)} ${printable(text)}`
  return `${at} ${hue === undefined ? words : paint(hue, words)}${shown.length === 0 ? '' : ` ${paint('dim', shown.join(' '))}`}\n`
}

/** Those of conditions are made of the same words as the line itself: the reason says whom it is about at its end. */
const isSaid = (key: string, value: string, text: string): boolean =>
  key === 'condition' || (key === 'reason' && text.includes(value.slice(value.lastIndexOf(': ') + 1).trim()))
