import { spawn, type ChildProcess } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { exitOf, outcomeOf } from '../lab/command.ts'
import { Learned } from '../docs/learned.ts'
import { parseObject } from '../lab/json.ts'
import { waitFor } from '../lab/index.ts'

const RUN = fileURLToPath(new URL('../run.mjs', import.meta.url))
const README = fileURLToPath(new URL('../../README.md', import.meta.url))

/** Without what differs from run to run. Whose line comes first does as well. */
const timeless = (text: string): string =>
  text
    .replaceAll(/\d+(\.\d+)? (ms|s)\b/g, 'T')
    .replaceAll(/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, 'MAC')
    .replaceAll(/\b(?!10\.0\.0\.0)10(\.\d+){3}\b/g, 'CONTAINER')
    .replaceAll(/\b192\.168\.205\.1\d\b/g, 'HOST')
    .replaceAll(/metric \d+/g, 'metric M')

const demo = (...flags: string[]) => [process.execPath, RUN, 'demo', ...flags] as const

/** Every process whose environment carries the mark, however deep in namespaces. */
async function marked(mark: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const read = (pid: string): Promise<string> => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
  const environments = await Promise.all(pids.map(read))
  return pids.filter((_, at) => environments[at]?.includes(`DEMO_MARK=${mark}`))
}

/** Starts a demo that is left running, and waits until it says how to enter. */
async function startKept(mark: string): Promise<ChildProcess> {
  const [node, ...args] = demo('--keep')
  const child = spawn(node, args, { env: { ...process.env, DEMO_MARK: mark }, stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await waitFor('the demo to be left running', () => said.includes('etcd:  nsenter'), { deadlineMs: 60_000 })
  return child
}

describe('the demo', () => {
  test('--json ends with one object that says every ping arrived, over VXLAN', async () => {
    const { code, stdout } = await outcomeOf(demo('--json'), { timeoutMs: 60_000 })
    expect(code).toBe(0)
    const result = parseObject(stdout.trimEnd().split('\n').pop() ?? '')
    expect(result).toEqual({
      hosts: 3,
      pings: { sent: 18, received: 18 },
      vxlan: { vni: 100, port: 8472, packets: 36 },
      convergedMs: expect.any(Number) as unknown,
    })
  })

  test('--backend udp ends with all pings answered, by datagrams', async () => {
    const outcome = await outcomeOf(demo('--backend', 'udp', '--hosts', '2', '--json'), { timeoutMs: 60_000 })
    const { code, stdout } = outcome
    expect(code, inspect(outcome)).toBe(0)
    const { pings, udp } = parseObject(stdout.trimEnd().split('\n').pop() ?? '')
    expect(pings).toEqual({ sent: 6, received: 6 })
    expect(udp).toMatchObject({ port: 8285 })
  })

  test('prints what the README has recorded', async () => {
    const recorded = /```text\n([^]*?)\n```/.exec(await readFile(README, 'utf8'))?.[1] ?? ''
    const { code, stdout } = await outcomeOf(demo(), { timeoutMs: 60_000 })
    expect(code).toBe(0)
    const lines = timeless(recorded).split('\n')
    expect(lines.length).toBeGreaterThan(30)
    const came = timeless(stdout).split('\n')
    expect(lines.filter((line) => new Learned().missing([line], came) !== undefined)).toEqual([])
  })

  test('--ipv6 pings over both families', async () => {
    const { code, stdout } = await outcomeOf(demo('--json', '--hosts', '2', '--ipv6'), { timeoutMs: 60_000 })
    expect(code).toBe(0)
    const result = parseObject(stdout.trimEnd().split('\n').pop() ?? '')
    const traffic = { pings: { sent: 6, received: 6 }, packets: 12 }
    expect(result).toMatchObject({ pings: traffic.pings, vxlan: { packets: 12 }, ipv6: traffic })
  })

  test.each([['--bogus'], ['--hosts=1'], ['--hosts=many']])('%s is refused with exit code 2', async (flag) => {
    const { code, stderr } = await outcomeOf(demo(flag))
    expect(code).toBe(2)
    expect(stderr).toContain(
      'npm run demo -- [--hosts N] [--backend vxlan|udp] [--kubernetes] [--ipv6] [--keep] [--json]',
    )
  })

  test.each(['SIGKILL', 'SIGINT'] as const)(
    'that is left running is gone with all its processes when the runner gets %s',
    async (signal) => {
      const child = await startKept(signal)
      expect((await marked(signal)).length).toBeGreaterThan(10)
      const ended = exitOf(child)
      child.kill(signal)
      await ended
      await waitFor('all its processes to end', async () => (await marked(signal)).length === 0, { deadlineMs: 5000 })
    },
  )
})
