/**
 * Letters to be added, left out, exchanged for another or for their neighbour to make one of the other (optimal string alignment).
 */
export function differences(from: string, to: string): number {
  const [letters, others] = [Array.from(from), Array.from(to)]
  let before: readonly number[] = []
  let row: readonly number[] = Array.from({ length: others.length + 1 }, (_, index) => index)
  for (const [line, letter] of letters.entries()) {
    const next = [line + 1]
    for (const [column, other] of others.entries()) {
      const [diagonal = 0, above = 0, left = 0] = [row[column], row[column + 1], next[column]]
      const isSwapped = letter === others[column - 1] && other === letters[line - 1]
      const swapped = isSwapped ? (before[column - 1] ?? 0) + 1 : Infinity
      next.push(Math.min(diagonal + (letter === other ? 0 : 1), above + 1, left + 1, swapped))
    }
    before = row
    row = next
  }
  return row[others.length] ?? 0
}

/** More differences than this in a name, or than a third of its letters, and another one was meant. */
const MOST_DIFFERENCES = 3
/** No name of ours is as long; what is longer is not compared, which would take long. */
const LONGEST = 64

/** A name without what people put into it or leave out without a thought. */
const bare = (name: string): string => name.toLowerCase().replaceAll(/[-_ ]/g, '')

/** Which of the names is meant by one that is none of them: that with the fewest differences, if they are few. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > LONGEST) return undefined
  const found = bare(name)
  return known
    .map((candidate) => ({ candidate, distance: differences(found, bare(candidate)) }))
    .filter(({ candidate, distance }) => distance <= Math.min(MOST_DIFFERENCES, bare(candidate).length / 3))
    .sort((a, b) => a.distance - b.distance)[0]?.candidate
}

/** Those of the names that begin or end with this one: `endpoints` is a part of `etcd-endpoints`. */
export function containing(name: string, known: readonly string[]): readonly string[] {
  const found = bare(name)
  if (found.length < 3) return []
  return known.filter((candidate) => bare(candidate).startsWith(found) || bare(candidate).endsWith(found))
}
