import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { outcomeOf } from '../lab/command.ts'
import { parseObject } from '../lab/json.ts'
import { kubePrograms } from './server/programs.ts'

const RUN = fileURLToPath(new URL('../run.mjs', import.meta.url))
const programs = await kubePrograms()

describe.skipIf(typeof programs === 'string')('the demo with a real API server', () => {
  test('ends with all pings answered in both families, and shows what stands on each Node', async () => {
    const line = [process.execPath, RUN, 'demo', '--kubernetes', '--ipv6', '--hosts', '2', '--json'] as const
    const outcome = await outcomeOf(line, { timeoutMs: 150_000 })
    expect(outcome.code, inspect(outcome)).toBe(0)
    const { pings, ipv6 } = parseObject(outcome.stdout.trimEnd().split('\n').pop() ?? '')
    expect([pings, ipv6]).toMatchObject([{ sent: 6, received: 6 }, { pings: { sent: 6, received: 6 } }])
    expect(outcome.stderr).toMatch(/host1: \{.*"flannel\.alpha\.coreos\.com\/public-ip":"192\.168\.205\.11"/)
  })
})
