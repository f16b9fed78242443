import { labelled } from '../../present/lines.ts'
import type { Looks } from '../../present/table.ts'
import { linesOf } from '../../text/printable.ts'
import { quoted } from '../../text/quoted.ts'
import type { ConfigFact } from '../config-facts.ts'

/** What is in force, field by field. */
export const showFacts = (facts: readonly ConfigFact[], looks: Looks): string =>
  labelled(
    facts.map(({ path, value, isDefault }) => [path, `${String(value)}${isDefault ? ' (default)' : ''}`] as const),
    looks,
  )

/** As it stands there, each line by itself, with what is invisible in it shown. */
export const showText = (text: string): string =>
  linesOf(text)
    .map((line) => `${line}\n`)
    .join('')

/** How to have again what was overwritten, for a shell. */
export const undoingSet = (before: string | undefined, key: string): string =>
  before === undefined
    ? `To undo: etcdctl del ${quoted(key)}\n`
    : `To undo:\nflanneld config set --yes --force - <<'END'\n${before.replace(/\n$/, '')}\nEND\n`
