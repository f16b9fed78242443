import type { KernelOp } from '../kernel/kernel.ts'
import { isEchoOf, type UnsignedOperation } from './codec/neighbour.ts'
import type { MessageCursor } from './codec/reader.ts'

const UNSIGNED: ReadonlySet<KernelOp['op']> = new Set<UnsignedOperation['op']>([
  ...(['fdb.replace', 'fdb.delete', 'neighbour.delete'] as const),
])
const isUnsigned = (op: KernelOp): op is UnsignedOperation => UNSIGNED.has(op.op)

/**
 * Knows our own writes when the kernel reports them, as far as the socket's filter cannot ({@link echoFilter}): of an fdb, and of a
 * neighbour that is erased, it does not say on whose behalf. It reports them in the order in which they were written, so each report is
 * looked for behind the last one found. Somebody who writes the very same at the same time is not heard, and has changed nothing.
 */
export class Echoes {
  #expected: readonly UnsignedOperation[] = []
  #next = 0

  /** These are being written now, and those before have been heard. */
  expect(ops: readonly KernelOp[]): void {
    this.#expected = ops.filter(isUnsigned)
    this.#next = 0
  }

  /** Whether the report, of a neighbour or an fdb entry, is of our doing. */
  has(message: MessageCursor): boolean {
    for (let at = this.#next; at < this.#expected.length; at++) {
      const op = this.#expected[at]
      if (op === undefined || !isEchoOf(message, op)) continue
      this.#next = at + 1
      return true
    }
    return false
  }
}
