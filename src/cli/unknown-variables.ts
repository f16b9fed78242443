import { differences } from '../config/differences.ts'
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
