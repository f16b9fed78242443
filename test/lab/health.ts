import { inspect } from 'node:util'
import { FORWARDING, type ConditionName } from '../fake/condition-names.ts'
import type { LabHost } from './host.ts'
import { numberAt, objectsAt, parseObject, textAt, textsAt, type JsonObject } from './json.ts'
import { waitFor, type WaitOptions } from './wait-for.ts'

/** Where the laboratory's agents answer probes, each on the loopback of its own machine. */
export const HEALTH = { ip: '127.0.0.1', port: 8081 } as const

export const HEALTH_FLAGS = [`--healthz-ip=${HEALTH.ip}`, `--healthz-port=${HEALTH.port}`] as const

/**
 * Asks ip $0, port $1 for path $2 and prints the answer as it comes; ends after two seconds of silence. The shell does it itself: that
 * costs what entering the namespaces does, 10 ms; curl takes three times that, and Node fifty times.
 */
const PROBE = `exec 3<>"/dev/tcp/$0/$1" && printf 'GET %s HTTP/1.0\\r\\n\\r\\n' "$2" >&3 &&
while IFS= read -r -t 2 line <&3; do printf '%s\\n' "$line"; done`
/** Each question costs the agent a millisecond: few enough for its share of a processor to be measured meanwhile. */
const ASKED_EVERY_MS = 100

/** One member of `conditions`. */
export interface Condition {
  readonly what: string
  readonly reason: string
  readonly effect: string
  readonly forSeconds: number
}

export interface Answer {
  readonly status: number
  readonly reasons: readonly string[]
  readonly degraded: readonly string[]
  readonly stuck: readonly string[]
  readonly subnet: string | undefined
  readonly conditions: readonly Condition[]
}

const conditionFrom = (row: JsonObject): Condition => ({
  what: textAt(row, 'what') ?? '',
  reason: textAt(row, 'reason') ?? '',
  effect: textAt(row, 'effect') ?? '',
  forSeconds: numberAt(row, 'forSeconds') ?? NaN,
})

/** What a probe on that machine hears; undefined when nobody answers within two seconds. */
export async function ask(
  { place }: LabHost,
  path: string,
  at: { readonly ip: string; readonly port: number } = HEALTH,
): Promise<Answer | undefined> {
  const { stdout } = await place.attempt('bash', ['-c', PROBE, at.ip, String(at.port), path])
  const [, status, text] = /^HTTP\/1\.1 (\d+) [^]*\n\r?\n(\{.*\})\n$/.exec(stdout) ?? []
  if (text === undefined) return undefined
  const body = parseObject(text)
  const [reasons, degraded, stuck] = [textsAt(body, 'reasons'), textsAt(body, 'degraded'), textsAt(body, 'stuck')]
  const conditions = objectsAt(body, 'conditions').map(conditionFrom)
  return { status: Number(status), reasons, degraded, stuck, subnet: textAt(body, 'subnet'), conditions }
}

async function readyzOf(host: LabHost): Promise<Answer> {
  const answer = await ask(host, '/readyz')
  if (answer === undefined) throw new Error(`the agent of ${host.name} does not answer`)
  return answer
}

/** Why this condition fails, as the agent says at the moment; undefined while it holds, or nobody answers. */
export async function failing(host: LabHost, what: ConditionName): Promise<Condition | undefined> {
  return (await ask(host, '/readyz'))?.conditions.find((one) => one.what === what)
}

/** Waits for an answer to be like this; what fails at last is in the error. */
async function untilIt<T>(
  host: LabHost,
  does: string,
  pick: (answer: Answer) => T | undefined,
  options: WaitOptions,
): Promise<NonNullable<T>> {
  const probe = async (): Promise<T> => {
    const answer = await readyzOf(host)
    const found = pick(answer)
    if (found === undefined) throw new Error(inspect(answer.conditions))
    return found
  }
  return waitFor(`the agent of ${host.name} to say that ${does}`, probe, { everyMs: ASKED_EVERY_MS, ...options })
}

/** Waits until the agent says of this condition that it fails, for a reason like this. */
export const fails = (
  host: LabHost,
  what: ConditionName,
  reason = /^/,
  options: WaitOptions = {},
): Promise<Condition> =>
  untilIt(
    host,
    `${what} fails for ${String(reason)}`,
    ({ conditions }) => conditions.find((one) => one.what === what && reason.test(one.reason)),
    options,
  )

/** Waits until the agent answers, and these conditions all hold. */
export async function holds(
  host: LabHost,
  what: ConditionName | readonly ConditionName[],
  options: WaitOptions = {},
): Promise<void> {
  const names: readonly string[] = typeof what === 'string' ? [what] : what
  const allHold = ({ conditions }: Answer): true | undefined =>
    conditions.some((one) => names.includes(one.what)) ? undefined : true
  await untilIt(host, `${names.join(', ')} holds`, allHold, options)
}

/** Waits until the overlay of every family has been complete since the agent has its lease. */
export const forwards = (host: LabHost, options: WaitOptions = {}): Promise<void> => holds(host, FORWARDING, options)

/** Waits until the agent has come far enough in its start to answer. */
export async function answers(host: LabHost, options: WaitOptions = {}): Promise<void> {
  await untilIt(host, 'it is there', () => true, options)
}

/** Waits until the agent says that containers can be started, and be reached. */
export async function isReady(host: LabHost, options: WaitOptions = {}): Promise<void> {
  await untilIt(host, 'it is ready', ({ status }) => (status === 200 ? true : undefined), options)
}
