import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { pid } from 'node:process'
import { expect, onTestFinished, test } from 'vitest'
import { administersNetwork } from '../../../../src/host/claim/process-rights.ts'
import { waitFor } from '../../../lab/wait-for.ts'

test('a process that has ended is gone, also while nobody has asked how it ended', async () => {
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => {
    parent.kill('SIGKILL')
  })
  const [said] = (await once(parent.stdout, 'data')) as readonly unknown[]
  const ended = Number(String(said))
  await waitFor('its end', () => /^State:\s*Z/m.test(readFileSync(`/proc/${ended}/status`, 'utf8')))
  expect(administersNetwork(ended)).toBe('gone')
  expect(administersNetwork(pid)).not.toBe('gone')
})
