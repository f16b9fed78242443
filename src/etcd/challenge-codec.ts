import type { Challenger } from '../lease/challenges.ts'
import type { Revision } from '../lease/lease.ts'

/** What stands under the key of a challenge. */
export interface ChallengeValue {
  /** Who asks; undefined when that cannot be read. */
  readonly from: Challenger | undefined
  /** Who answered. */
  readonly by: Challenger | undefined
}

/** Longest name, id or instance taken from others, in UTF-16 units: such texts end up in the log. */
const LONGEST_TEXT = 128

/** JSON: `{"From":{"ID","Hostname","Instance","Since"}}` as asked, with `"By"` beside it as answered. */
export function encodeChallenge({ from, by }: ChallengeValue): string {
  return JSON.stringify({ From: from && written(from), By: by && written(by) })
}

/** @throws never; what cannot be read is undefined, and long texts are cut */
export function decodeChallenge(text: string): ChallengeValue {
  const value = field(parse(text))
  return { from: challenger(value('From')), by: challenger(value('By')) }
}

const written = ({ id, hostname, instance, since }: Challenger): object => ({
  ID: id,
  Hostname: hostname,
  Instance: instance,
  Since: since === undefined ? undefined : String(since),
})

function challenger(value: unknown): Challenger | undefined {
  const part = field(value)
  const [id, hostname, instance] = [part('ID'), part('Hostname'), part('Instance')]
  if (typeof id !== 'string' || typeof hostname !== 'string' || typeof instance !== 'string') return undefined
  if (id === '' || instance === '') return undefined
  return { id: cut(id), hostname: cut(hostname), instance: cut(instance), since: revision(part('Since')) }
}

/** etcd counts in 64 bits: 19 digits. */
const revision = (text: unknown): Revision | undefined =>
  typeof text === 'string' && /^\d{1,19}$/.test(text) ? BigInt(text) : undefined

const cut = (text: string): string => text.slice(0, LONGEST_TEXT)

/** Fields of what may not even be an object. */
function field(value: unknown): (name: string) => unknown {
  const fields = new Map<string, unknown>(typeof value === 'object' && value !== null ? Object.entries(value) : [])
  return (name) => fields.get(name)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
