import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { KernelOp } from '../../src/kernel/kernel.ts'
import { writeOperation } from '../../src/netlink/codec/operation.ts'
import { MessageWriter } from '../../src/netlink/codec/writer.ts'
import { RtnetlinkKernel } from '../../src/netlink/rtnetlink-kernel.ts'
import type { PeerEntries } from '../../src/reconcile/entries.ts'

/*
 * Programming alone: the operations are there, and become rows of the kernel. It is compared with C programs that send the very same
 * messages: what the kernel itself needs, in batches (floor.c), and one socket per message (sequential.c).
 */

/** Longest message of an operation on one of the three tables, in octets. */
const MOST_PER_MESSAGE = 128
/** Messages that floor.c sends at a time: from 64 on it makes no difference. */
const FLOOR_BATCH = 64

/** Peer by peer as neighbour, fdb entry and route, as the reconciler orders them. */
export function operationsOf(linkIndex: number, entries: Iterable<PeerEntries>): readonly KernelOp[] {
  const ops: KernelOp[] = []
  for (const { onDevice } of entries) {
    for (const row of onDevice.neighbours) ops.push({ op: 'neighbour.replace', linkIndex, ...row })
    for (const { mac, remote } of onDevice.fdb) ops.push({ op: 'fdb.replace', linkIndex, mac, remote })
    for (const { destination, gateway, metric, protocol, onlink } of onDevice.routes)
      ops.push({
        ...{ op: 'route.replace', type: 'unicast', linkIndex, destination, gateway },
        ...{ metric, protocol, onlink },
      })
  }
  return ops
}

/** All routes with metric 0, as flanneld makes them. */
export const withoutMetric = (ops: readonly KernelOp[]): readonly KernelOp[] =>
  ops.map((op) => (op.op === 'route.replace' ? { ...op, metric: 0 } : op))

/** The messages of the operations, one behind the other, as floor.c and sequential.c read them. */
export function writeMessages(ops: readonly KernelOp[], file: string): void {
  const writer = new MessageWriter(ops.length * MOST_PER_MESSAGE)
  for (const [index, op] of ops.entries()) writeOperation(writer, op, index + 1)
  writeFileSync(file, writer.bytes.subarray(0, writer.length))
}

/** Milliseconds from the first socket to the last answer: by the clock, and on the processor (in the kernel too). */
export interface Took {
  readonly wallMs: number
  readonly processorMs: number
}

export const runFloor = (program: string, file: string): Took => run(program, file, `${FLOOR_BATCH}`)

export const runSequential = (program: string, file: string): Took => run(program, file)

function run(program: string, ...args: readonly string[]): Took {
  const [wallMs = NaN, processorMs = NaN] = execFileSync(program, args, { encoding: 'utf8' }).split(' ').map(Number)
  return { wallMs, processorMs }
}

/** Ours, every answer read. */
export async function programOperations(ops: readonly KernelOp[]): Promise<Took> {
  const [startedMs, before] = [performance.now(), process.cpuUsage()]
  const kernel = new RtnetlinkKernel()
  try {
    const results = await kernel.apply(ops, new AbortController().signal)
    for (const result of results) if (!result.ok) throw result.error
    const wallMs = performance.now() - startedMs
    const { user, system } = process.cpuUsage(before)
    return { wallMs, processorMs: (user + system) / 1_000 }
  } finally {
    kernel.close()
  }
}
