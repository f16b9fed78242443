import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const MODULE = join(import.meta.dirname, '../../../src/commands/frugal-start.ts')

/** Bit of %GetOptimizationStatus (V8's src/runtime/runtime.h, OptimizationStatus): an optimizing compiler has made machine code of it. */
const OPTIMIZED = 1 << 4

/** Says of which of its loops V8 has made machine code: in the first turn of the start, and within ten seconds after it. */
const PROGRAM = `
import { frugalStart } from ${JSON.stringify(MODULE)}
const isOptimized = new Function('work', 'return (%GetOptimizationStatus(work) & ${OPTIMIZED}) !== 0')
const work = new Function('let sum = 0; for (let at = 0; at < 1e4; at++) sum += at % 7; return sum')
frugalStart()
for (let round = 0; round < 2000; round++) work()
const early = isOptimized(work)
const endMs = performance.now() + 10_000
while (!isOptimized(work) && performance.now() < endMs) {
  work()
  await new Promise((resolve) => setImmediate(resolve))
}
console.log(JSON.stringify({ early, late: isOptimized(work) }))`

test('machine code is made when the start is over, and not before', async () => {
  const flags = ['--import', 'tsx', '--allow-natives-syntax', '--input-type=module', '-e', PROGRAM]
  const { stdout } = await promisify(execFile)(process.execPath, flags)
  expect(JSON.parse(stdout)).toEqual({ early: false, late: true })
})
