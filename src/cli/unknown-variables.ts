import { environmentName } from './flag.ts'
import { FLAGS } from './flags.ts'

const PREFIX = 'FLANNELD_'

/** Read by others than the flags: by unit files, and by the loader of the addon. */
const OTHERS = ['FLANNELD_OPTS', 'FLANNELD_NETLINK_ADDON']

const KNOWN = [...Object.values(FLAGS).map(({ name }) => environmentName(name)), ...OTHERS]

/** More differences than this in a name, and another one was meant. */
const MOST_DIFFERENCES = 3

/**
 * Variables named as if they were for `flanneld`, which nothing reads: misspelt, most likely. A flag would be refused; of a variable
 * nobody knows for whom else it is, so it is only said. Never the values: one may be a password.
 * @returns a sentence for each
 */
export function unknownVariables(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && !KNOWN.includes(name))
    .map((name) => `${name} is not read: no flag has that name${hint(name)}`)
}

function hint(name: string): string {
  const nearest = KNOWN.map((known) => ({ known, distance: differences(name, known) }))
    .filter(({ distance }) => distance <= MOST_DIFFERENCES)
    .sort((a, b) => a.distance - b.distance)[0]
  return nearest === undefined ? ' (see flanneld --help)' : `; is ${nearest.known} meant?`
}

/** Letters to be added, left out or exchanged to make one of the other (Levenshtein). */
function differences(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [line, letter] of Array.from(from).entries()) {
    const next = [line + 1]
    for (const [column, other] of Array.from(to).entries()) {
      const [before = 0, above = 0, left = 0] = [row[column], row[column + 1], next[column]]
      next.push(Math.min(before + (letter === other ? 0 : 1), above + 1, left + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
