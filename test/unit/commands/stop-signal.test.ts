import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const MODULE = join(import.meta.dirname, '../../../src/commands/stop-signal.ts')
/** Runs until it is asked to stop, for a minute at most. */
const SCRIPT = `
  import { stopSignal } from ${JSON.stringify(MODULE)}
  const life = setTimeout(() => process.exit(9), 60_000)
  stopSignal.addEventListener('abort', () => { process.stdout.write('asked '); clearTimeout(life) })
  process.stdout.write('runs ')
`

it.each(['SIGTERM', 'SIGINT'] as const)('%s asks the program to stop, and does not end it', async (signal) => {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', SCRIPT], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (said === '') child.kill(signal)
    said += text
  })
  expect(await once(child, 'close')).toEqual([0, null])
  expect(said).toBe('runs asked ')
})

const WAITERS = `
  import { stopSignal } from ${JSON.stringify(MODULE)}
  for (let at = 0; at < 40; at += 1) stopSignal.addEventListener('abort', () => undefined)
  process.stdout.write('runs ')
  setTimeout(() => undefined, 60_000)
  stopSignal.addEventListener('abort', () => process.exit(0))
`

it('many may wait for it, and SIGUSR1 and SIGUSR2 open no port for a debugger and end nothing', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', WAITERS], {
    stdio: 'pipe',
  })
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  child.stdout.once('data', () => {
    // Pending signals are taken in the order of their numbers: 10, 12, 15.
    for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGTERM'] as const) child.kill(signal)
  })
  expect(await once(child, 'close')).toEqual([0, null])
  expect(complaints).toBe('')
})
