import { expect, test } from 'vitest'
import { loadAddon } from '../../../src/native/load.ts'
import { runScript } from './child.ts'

const addon = loadAddon()

/** Makes garbage that has grown old, asks for a collection, and lets time pass: says what was garbage, and how much of it was still there at last. */
const PROGRAM = `
const before = process.memoryUsage().heapUsed
let kept = Array.from({ length: 400_000 }, (_, at) => ({ at }))
const garbage = process.memoryUsage().heapUsed - before
kept = undefined
const isAsked = addon.collectGarbage()
const endMs = performance.now() + 15_000
const left = () => process.memoryUsage().heapUsed - before
while (left() > garbage / 2 && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 5))
say({ isAsked, isMuch: garbage > 10e6, isCollected: left() <= garbage / 2, isReleased: typeof addon.releaseMemory() })`

test('what nobody refers to is collected by and by, though nothing is allocated', async () => {
  const { said, stderr } = await runScript(PROGRAM)
  expect(said, stderr).toEqual([{ isAsked: true, isMuch: true, isCollected: true, isReleased: 'boolean' }])
})

test('octets are read as Latin-1, few of them and many', () => {
  const many = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => at % 256))
  expect(addon.textIn(Buffer.from('caf\u00e9', 'latin1'))).toBe('caf\u00e9')
  expect(addon.textIn(new Uint8Array())).toBe('')
  expect(addon.textIn(many) === many.toString('latin1')).toBe(true)
  expect(() => void Reflect.apply(addon.textIn, undefined, ['text'])).toThrow(TypeError)
})
