/** Rows that are written at a time: some tens of kilobytes. */
const AT_A_TIME = 64

/**
 * An object of JSON whose last key is a list, written piece by piece: rows are made as they are read.
 * @param head all other keys
 */
export function* listed(head: object, key: string, rows: Iterable<object>): Generator<string, void, undefined> {
  let piece = `${JSON.stringify(head).slice(0, -1)},${JSON.stringify(key)}:[`
  let count = 0
  for (const row of rows) {
    piece += `${count === 0 ? '' : ','}${JSON.stringify(row)}`
    count++
    if (count % AT_A_TIME !== 0) continue
    yield piece
    piece = ''
  }
  yield `${piece}]}\n`
}
