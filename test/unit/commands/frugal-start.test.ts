import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const MODULE = join(import.meta.dirname, '../../../src/commands/frugal-start.ts')

/** Bit of %GetOptimizationStatus (V8's src/runtime/runtime.h, OptimizationStatus): an optimizing compiler has made machine code of it. */
const OPTIMIZED = 1 << 4
/** Where there is Maglev: TurboFan has. */
const TURBOFANNED = 1 << 6
const HAS_MAGLEV = Number.parseInt(process.versions.v8) >= 12

/**
 * Says of its loop whether V8 has made machine code of it: in the first turn of the start, and within ten seconds after it; and whether TurboFan has, before
 * the start is over, though it is run a thousand times, and within ten seconds after that.
 */
const PROGRAM = `
import { frugalRest, frugalStart } from ${JSON.stringify(MODULE)}
const status = new Function('work', 'return %GetOptimizationStatus(work)')
const isOptimized = () => (status(work) & ${OPTIMIZED}) !== 0
const isTurbofanned = () => (status(work) & ${TURBOFANNED}) !== 0
const work = new Function('let sum = 0; for (let at = 0; at < 1e4; at++) sum += at % 7; return sum')
frugalStart()
for (let round = 0; round < 2000; round++) work()
const early = isOptimized()
const turn = async () => {
  work()
  await new Promise((resolve) => setImmediate(resolve))
}
const until = async (condition) => {
  const endMs = performance.now() + 10_000
  while (!condition() && performance.now() < endMs) await turn()
  return condition()
}
const late = await until(isOptimized)
for (let round = 0; round < 1000; round++) await turn()
const before = ${HAS_MAGLEV} && isTurbofanned()
frugalRest()
const after = !${HAS_MAGLEV} || (await until(isTurbofanned))
console.log(JSON.stringify({ early, late, turbofan: { before, after } }))`

test('machine code is made when the start is over, and not before', async () => {
  const flags = ['--import', 'tsx', '--allow-natives-syntax', '--input-type=module', '-e', PROGRAM]
  const { stdout } = await promisify(execFile)(process.execPath, flags)
  expect(JSON.parse(stdout)).toEqual({ early: false, late: true, turbofan: { before: false, after: true } })
})

/**
 * Says of a function that was run some thousand times whether there is machine code of it: in a process that has nothing else to do, within ten seconds in one that
 * has computed for long, and of another one that is run as often at rest.
 */
const WORKER = `
import { setTimeout as delay } from 'node:timers/promises'
import { frugalRest, frugalStart } from ${JSON.stringify(MODULE)}
const status = new Function('work', 'return %GetOptimizationStatus(work)')
const isOptimized = (work) => (status(work) & ${OPTIMIZED}) !== 0
const made = (at) => new Function('from', 'return from * 3 + ' + at) // one text, one machine code
const run = async (work) => {
  for (let turn = 0; turn < 20; turn++) {
    for (let round = 0; round < 100; round++) work(round)
    await delay(5)
  }
}
const [first, second, third] = [1, 2, 3].map(made)
frugalStart()
await delay(200)
await run(first)
const idle = isOptimized(first)
const endMs = performance.now() + 500
while (performance.now() < endMs);
await delay(50)
const lateMs = performance.now() + 10_000
while (!isOptimized(second) && performance.now() < lateMs) await run(second)
frugalRest()
await run(third)
console.log(JSON.stringify({ idle, busy: isOptimized(second), rest: isOptimized(third) }))`

test.runIf(Number.parseInt(process.versions.v8) >= 13)(
  'machine code of what is run now and then in a start is for those who compute much',
  async () => {
    const flags = ['--import', 'tsx', '--allow-natives-syntax', '--input-type=module', '-e', WORKER]
    const { stdout } = await promisify(execFile)(process.execPath, flags)
    expect(JSON.parse(stdout)).toEqual({ idle: false, busy: true, rest: true })
  },
)
