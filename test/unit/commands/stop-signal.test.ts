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
