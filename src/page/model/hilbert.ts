/*
 * A line that fills a rectangle so that what stands close together on the line stands close together in the rectangle (D. Hilbert, 1891).
 * With an odd number of bits there are two squares side by side; the line leaves the first where it enters the second.
 */

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Rectangle {
  readonly width: number
  readonly height: number
}

/** The rectangle that a line of 2^bits cells fills. */
export function rectangleOf(bits: number): Rectangle {
  const height = 2 ** Math.floor(bits / 2)
  return { width: bits % 2 === 0 ? height : 2 * height, height }
}

/** Where cell number `index` of 2^bits stands; the first one in the upper left corner. */
export function pointAt(bits: number, index: number): Point {
  const { height: side } = rectangleOf(bits)
  const square = Math.floor(index / (side * side))
  let rest = index % (side * side)
  let [x, y] = [0, 0]
  for (let step = 1; step < side; step *= 2) {
    const right = (rest >> 1) & 1
    const down = (rest ^ right) & 1
    ;[x, y] = turned(step, x, y, right, down)
    x += step * right
    y += step * down
    rest >>= 2
  }
  return { x: x + square * side, y }
}

/** The inverse of {@link pointAt}. */
export function indexAt(bits: number, { x: column, y: row }: Point): number {
  const { height: side } = rectangleOf(bits)
  const square = Math.floor(column / side)
  let [x, y, index] = [column % side, row, 0]
  for (let step = side / 2; step >= 1; step /= 2) {
    const [right, down] = [(x & step) > 0 ? 1 : 0, (y & step) > 0 ? 1 : 0]
    index += step * step * ((3 * right) ^ down)
    ;[x, y] = turned(step, x & (step - 1), y & (step - 1), right, down)
  }
  return square * side * side + index
}

/** A quarter of the square has the line turned, so that it begins where the quarter before has ended. */
function turned(step: number, x: number, y: number, right: number, down: number): readonly [number, number] {
  if (down === 1) return [x, y]
  return right === 1 ? [step - 1 - y, step - 1 - x] : [y, x]
}
