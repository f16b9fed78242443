import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { quoted } from '../../../src/text/quoted.ts'

test.each([
  '10.15.0.0-20',
  'host-1.example',
  '10.1.0.0-24&fd00--64',
  'x;touch y',
  '$(reboot)',
  "it's",
  '`id`',
  '',
  'a b\n*',
])('a shell takes %j as it is', (word) => {
  expect(execFileSync('sh', ['-c', `printf %s ${quoted(word)}`], { encoding: 'utf8' })).toBe(word)
})
