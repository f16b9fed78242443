import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'

/**
 * Where tests still wait for a text in an agent's log, how often, and why no state tells it. Whoever wants another entry asks first
 * whether the agent can be asked (test/lab/health.ts, `fails` and `holds` of AgentWorld), or the kernel, etcd or the subnet file.
 */
const ALLOWED: Readonly<Record<string, readonly [waits: number, why: string]>> = {
  'e2e/configuration.test.ts': [3, 'each mistake in the configuration is named to whoever reads the log'],
  'e2e/dual-stack.test.ts': [1, 'the account of the first pass: nothing was written'],
  'e2e/faults/etcd-gaps.test.ts': [1, 'a compacted history is said once, and mended before anybody could ask'],
  'e2e/faults/kernel-conflicts.test.ts': [2, 'conflicts are named with their cure; pauses between refusals'],
  'e2e/faults/kernel-fights.test.ts': [1, 'the warning names what is fought over'],
  'e2e/faults/lease-own.test.ts': [1, 'that containers must move is said loudly'],
  'e2e/faults/lease-restore.test.ts': [1, 'that etcd is not what it was is said, and leaves nothing amiss'],
  'e2e/faults/lease-rivals.test.ts': [1, 'the candidates to choose from are a hint of the log alone'],
  'e2e/faults/moments.ts': [1, 'a moment of the start, over within milliseconds'],
  'e2e/faults/process-clock.test.ts': [1, 'a line of the log shows the time by its clock'],
  'e2e/faults/process-run.test.ts': [1, 'that the file was written is said, once it is'],
  'e2e/faults/process-stop.test.ts': [1, 'a moment of the start, over within milliseconds'],
  'e2e/faults/security-tls.test.ts': [1, 'which certificate is wrong is said once'],
  'e2e/faults/security-users.test.ts': [3, 'which permission is missing is said once, and never the password'],
  'e2e/firewall.test.ts': [1, 'rules that were restored are a warning'],
  'e2e/flags.test.ts': [1, '--v shows changes that are not said otherwise'],
  'e2e/forwarding.test.ts': [5, 'what was turned on is said, with the cure where it cannot be'],
  'e2e/host-gw.test.ts': [2, 'the account of the first pass: nothing was written'],
  'e2e/lab.test.ts': [1, 'of a stand-in for the agent, which has no states'],
  'e2e/live-configuration.test.ts': [5, 'what changed, and what applies at the next start only, is said once'],
  'e2e/peer-filter.test.ts': [
    3,
    'what was dropped, of strangers and of what is forged, is counted and said; that nothing is forwarded is',
  ],
  'e2e/restart.test.ts': [1, 'the account of the first pass: nothing was written'],
  'e2e/two-agents.test.ts': [
    3,
    'a second agent that waits for the first answers nobody yet; SIGHUP, SIGUSR1 and SIGUSR2 are said, and change nothing',
  ],
  'e2e/faults/udp.test.ts': [1, 'that the device has another name than usual is said once, with who has that'],
  'kernel/device.test.ts': [7, 'each change from outside is named in a line of its own'],
  'lab/log.ts': [1, 'what the others wait with'],
  'root/boot.test.ts': [1, 'of what systemd runs before Docker, which is no agent'],
}

/** Of test/lab/log.ts, and of the worlds: each waits. */
const WAITS_FOR_LOG = new Set(['says', 'firstPass'])
const WAITS = new Set(['waitFor', 'until'])
/** What a probe of a log reads. */
const LOG = /\b(?:logged\(|logOfRun\(|lengthOfLog\(|\.log\(|log\.lines|said\(|refusals\()/

const nameOf = ({ expression }: ts.CallExpression): string =>
  ts.isPropertyAccessExpression(expression) ? expression.name.text : expression.getText()

/** Whether it waits, by itself or as `await world.logged(…)` of a world on the running kernel does. */
function isLogWait(node: ts.Node): boolean {
  if (!ts.isCallExpression(node)) return false
  const name = nameOf(node)
  if (WAITS_FOR_LOG.has(name) || (name === 'logged' && ts.isAwaitExpression(node.parent))) return true
  return WAITS.has(name) && node.arguments.slice(1).some((argument) => LOG.test(argument.getText()))
}

function logWaitsIn(path: string, text: string): number {
  let count = 0
  const visit = (node: ts.Node): void => {
    if (isLogWait(node)) count++
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true))
  return count
}

const TEST = join(import.meta.dirname, '..')

test('tests wait for texts in logs only where no state can be asked', () => {
  const paths = readdirSync(TEST, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
  const found = paths.map((path) => [path, logWaitsIn(path, readFileSync(join(TEST, path), 'utf8'))] as const)
  const counted = Object.fromEntries(found.filter(([, count]) => count > 0))
  expect(counted).toEqual(Object.fromEntries(Object.entries(ALLOWED).map(([path, [count]]) => [path, count])))
})

test.each([
  ['await says(host, /forwarding/)', 1],
  ["await waitFor('it', async () => (await agent.logOfRun()).includes('x'))", 1],
  ["await world.until('it', () => world.logged(/x/).length > 0)", 1],
  ['await world.logged(/x/)', 1],
  ['expect(world.logged(/x/)).toHaveLength(1)', 0],
  ["await world.until('it', () => world.fails('etcd'))", 0],
  ['await waitFor(`it; log: ${agent.log()}`, () => isThere())', 0],
])('counts in %s: %i', (text, count) => {
  expect(logWaitsIn('some.test.ts', text)).toBe(count)
})
