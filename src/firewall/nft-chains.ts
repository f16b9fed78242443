import { isObject, type JsonObject } from '../config/json.ts'
import { listAt, objectAt, textAt } from './json.ts'

/** A rule of anybody's, as far as it can be told what it does to packets. */
export interface NftRule {
  /** By which nft finds it. */
  readonly handle: string
  /** As nft's JSON has them, libnftables-json(5). */
  readonly expressions: readonly unknown[]
  /** What becomes of a packet, in iptables' words: `DROP`, `REJECT`, the name of a chain or of a target; '' where it goes on. */
  readonly target: string
  /** Whether it is for some packets only. */
  readonly isConditional: boolean
  /** Whether some packet may end there, or in a chain that it leads to. */
  readonly mayDrop: boolean
  /** Whether iptables can have written it, and so can print all of it. */
  readonly isIptables: boolean
}

/** A chain of any table. `hook` and what belongs to it are there for base chains alone. */
export interface NftChain {
  /** `ip`, `ip6`, `inet` … */
  readonly family: string
  readonly table: string
  readonly name: string
  readonly type: string
  readonly hook: string
  readonly priority: number | undefined
  /** `accept`, `drop`; '' for none. */
  readonly policy: string
  readonly rules: readonly NftRule[]
}

/**
 * Reads chains, with the rules that are listed with them, from what `nft -j list …` prints: a table, a chain, `chains`, a ruleset. What is
 * not known to this version makes a rule conditional and none of iptables': it is never taken for less than it is.
 * @throws {SyntaxError} when it is not JSON
 */
export function readNftChains(output: string): readonly NftChain[] {
  const objects = listAt(JSON.parse(output), 'nftables').filter(isObject)
  const rules = new Map<string, NftRule[]>()
  for (const rule of allOf(objects, 'rule')) {
    const place = placeOf(rule, 'chain')
    const before = rules.get(place) ?? []
    rules.set(place, before)
    before.push(readNftRule(listAt(rule, 'expr'), textAt(rule, 'handle')))
  }
  return allOf(objects, 'chain').map((chain) => ({
    family: textAt(chain, 'family'),
    table: textAt(chain, 'table'),
    name: textAt(chain, 'name'),
    type: textAt(chain, 'type'),
    hook: textAt(chain, 'hook'),
    priority: typeof chain['prio'] === 'number' ? chain['prio'] : undefined,
    policy: textAt(chain, 'policy'),
    rules: rules.get(placeOf(chain, 'name')) ?? [],
  }))
}

const allOf = (objects: readonly JsonObject[], kind: string): readonly JsonObject[] =>
  objects.map((object) => objectAt(object, kind)).filter((content) => content !== undefined)

const placeOf = (object: JsonObject, name: string): string =>
  JSON.stringify(['family', 'table', name].map((member) => textAt(object, member)))

export function readNftRule(expressions: readonly unknown[], handle = ''): NftRule {
  const kinds = expressions.map((expression) => ({ kind: kindOf(expression), expression }))
  const targets = kinds.flatMap(({ kind, expression }) => targetOf(kind, expression) ?? [])
  return {
    handle,
    expressions,
    target: targets.at(-1) ?? '',
    isConditional: kinds.some(({ kind, expression }) => isCondition(kind, expression)),
    mayDrop: kinds.some(({ kind }) => !GOES_ON.has(kind)) || DROPPING.has(targets.at(-1) ?? ''),
    // iptables counts in every rule that it writes.
    isIptables:
      kinds.some(({ kind }) => kind === 'counter') &&
      kinds.every(({ kind, expression }) => isIptablesExpression(kind, expression)),
  }
}

const kindOf = (expression: unknown): string => (isObject(expression) ? (Object.keys(expression)[0] ?? '') : '')

/** Verdicts and statements of nft that iptables has targets for, by the names of these. */
const TARGETS: ReadonlyMap<string, string> = new Map([
  ...(['accept', 'drop', 'return', 'queue', 'reject', 'masquerade', 'redirect'] as const).map(
    (name) => [name, name.toUpperCase()] as const,
  ),
  ...[['snat', 'SNAT'] as const, ['dnat', 'DNAT'] as const],
])

function targetOf(kind: string, expression: unknown): string | undefined {
  if (kind === 'jump' || kind === 'goto') return textAt(objectAt(expression, kind), 'target')
  const xt = kind === 'xt' ? objectAt(expression, kind) : undefined
  return textAt(xt, 'type') === 'target' ? textAt(xt, 'name') : TARGETS.get(kind)
}

/** What drops nothing: all else may, and verdict maps lead anywhere. */
const GOES_ON: ReadonlySet<string> = new Set([
  ...['accept', 'return', 'masquerade', 'redirect', 'snat', 'dnat', 'xt', 'match', 'counter', 'log', 'limit'],
  ...['notrack', 'mangle', 'set'],
])
/** Among targets of iptables that nft only knows by name. */
const DROPPING: ReadonlySet<string> = new Set(['REJECT', 'NFQUEUE', 'TARPIT'])

/** Statements that are carried out for every packet that gets there. */
const FOR_ALL: ReadonlySet<string> = new Set([...TARGETS.keys(), 'jump', 'goto', 'counter', 'log', 'notrack', 'mangle'])

function isCondition(kind: string, expression: unknown): boolean {
  if (kind !== 'xt') return !FOR_ALL.has(kind)
  const xt = objectAt(expression, kind)
  return textAt(xt, 'type') !== 'target' && textAt(xt, 'name') !== 'comment'
}

const IN_IPTABLES: ReadonlySet<string> = new Set([...TARGETS.keys(), 'jump', 'goto', 'counter', 'log', 'limit', 'xt'])

function isIptablesExpression(kind: string, expression: unknown): boolean {
  return IN_IPTABLES.has(kind) || (kind === 'match' && isPlain(objectAt(expression, kind)?.['right']))
}

/** One value, prefix or range: sets, and what is looked up in them, iptables has no words for. */
const isPlain = (value: unknown): boolean =>
  isObject(value)
    ? 'prefix' in value || 'range' in value
    : !Array.isArray(value) && !(typeof value === 'string' && value.startsWith('@'))
