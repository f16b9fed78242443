/** Letters to be added, left out or exchanged to make one of the other (Levenshtein). */
export function differences(from: string, to: string): number {
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
