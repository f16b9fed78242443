import type { BuiltinRule, ChainState } from './iptables-read.ts'
import type { OwnChain } from './names.ts'
import { ruleText, type Rule, type Side, type RuleVerdict } from './rules.ts'

/** Verdicts that drop. Without a condition they keep all packets from what stands behind; with one they are somebody's ban. */
const DROPPING: ReadonlySet<string> = new Set(['DROP', 'REJECT'])

/** The chains in which Docker drops whatever is not for a published port, however it leads there. */
const DOCKERS: ReadonlySet<string> = new Set(['DOCKER-FORWARD', 'DOCKER'])

/** Chains that are made to speak before all others: the operator's own (Docker), network policies (Calico). */
const FIRST_WORD: ReadonlySet<string> = new Set(['DOCKER-USER', 'cali-FORWARD'])

/** Whether others drop, or may drop, what passes through this built-in chain. */
export const isRestricted = ({ policy, builtin }: ChainState): boolean =>
  policy !== undefined && (policy !== 'ACCEPT' || builtin.some(({ isOurs }) => !isOurs))

/**
 * Lines for `iptables-restore --noflush` that make our chain hold exactly these rules and the built-in chain lead there once; that
 * remove both when there are no rules, as far as nobody else holds the chain: then it is emptied. They are one table's part of the
 * input, and one transaction.
 * @returns nothing when all is right
 */
export function renderChain(chain: OwnChain, rules: readonly Rule[], state: ChainState): readonly string[] {
  const lines = rules.length === 0 ? removal(chain, state) : [...content(chain, rules, state), ...jump(chain, state)]
  return lines.length === 0 ? [] : [`*${chain.table}`, ...lines, 'COMMIT']
}

function removal({ name }: OwnChain, { builtin, rules, holders }: ChainState): readonly string[] {
  const isHeld = holders.length > 0
  return [
    ...builtin.filter(({ isOurs }) => isOurs).map(deletion),
    ...(rules === undefined || (isHeld && rules.length === 0) ? [] : [`-F ${name}`]),
    ...(rules === undefined || isHeld ? [] : [`-X ${name}`]),
  ]
}

/** Declaring a chain that stands empties it (iptables-restore(8)); nothing passes through it before COMMIT. */
function content({ name, comment }: OwnChain, rules: readonly Rule[], state: ChainState): readonly string[] {
  const wanted = rules.map(ruleText)
  if (state.rules !== undefined && wanted.join('\n') === state.rules.join('\n')) return []
  return [`:${name} - [0:0]`, ...rules.map((rule) => `-A ${name} ${ruleOptions(rule, comment)}`)]
}

/** Everything of ours in the built-in chain is taken out unless it is exactly the one jump, in a place where it works. */
function jump(chain: OwnChain, { builtin }: ChainState): readonly string[] {
  const { name, comment } = chain
  const ours = builtin.filter(({ isOurs }) => isOurs)
  const isForward = chain.builtin === 'FORWARD'
  const options = `-m comment --comment "${comment}" -j ${name}`
  const [only] = ours
  const isOneJump = ours.length === 1 && only?.words.join(' ') === options.replaceAll('"', '')
  if (isOneJump && (!isForward || !isBlocked(builtin))) return []
  // A packet that our nat chain lets pass goes on behind the jump: there any place is right, and the last disturbs nobody.
  const place = isForward ? `-I FORWARD ${firstPlace(builtin)}` : `-A ${chain.builtin}`
  return [...ours.map(deletion), `${place} ${options}`]
}

const deletion = ({ line }: BuiltinRule): string => line.replace(/^-A /, '-D ')

const isBlocked = (builtin: readonly BuiltinRule[]): boolean => {
  const before = builtin.slice(
    0,
    builtin.findIndex(({ isOurs }) => isOurs),
  )
  return before.slice(ofOthersInPlace(builtin)).some(blocks)
}

/** What drops everything before our jump in FORWARD, as far as it can be told. */
export function findBlock({ builtin }: ChainState): BuiltinRule | undefined {
  const ours = builtin.findIndex(({ isOurs }) => isOurs)
  return ours < 0 ? undefined : builtin.slice(0, ours).find(dropsAll)
}

const dropsAll = ({ target, isConditional }: BuiltinRule): boolean =>
  DOCKERS.has(target) || (DROPPING.has(target) && !isConditional)

const blocks = (rule: BuiltinRule): boolean => !rule.keepsPlace && dropsAll(rule)

const isBan = (rule: BuiltinRule): boolean => DROPPING.has(rule.target) && !blocks(rule)

/** Among the rules of others, the first place that overtakes none which iptables cannot express, counted from 0. */
const ofOthersInPlace = (builtin: readonly BuiltinRule[]): number =>
  builtin.filter(({ isOurs }) => !isOurs).findLastIndex(({ keepsPlace }) => keepsPlace) + 1

/** The first place, counted from 1 among the rules of others, that is behind all who are to speak before us, and bans among them. */
function firstPlace(builtin: readonly BuiltinRule[]): number {
  const others = builtin.filter(({ isOurs }) => !isOurs)
  const end = others.findIndex((rule) => !FIRST_WORD.has(rule.target) && !isBan(rule))
  return 1 + Math.max(end < 0 ? others.length : end, ofOthersInPlace(builtin))
}

const TARGETS: Readonly<Record<RuleVerdict, string>> = {
  return: 'RETURN',
  accept: 'ACCEPT',
  masquerade: 'MASQUERADE',
  'masquerade-random': 'MASQUERADE --random-fully',
}

function ruleOptions({ mark, source, destination, verdict }: Rule, comment: string): string {
  const side = (option: string, { network, negated }: Side): string => `${negated ? '! ' : ''}${option} ${network.text}`
  return [
    ...(source === undefined ? [] : [side('-s', source)]),
    ...(destination === undefined ? [] : [side('-d', destination)]),
    ...(mark === undefined ? [] : [`-m mark --mark 0x${mark.value.toString(16)}/0x${mark.mask.toString(16)}`]),
    `-m comment --comment "${comment}"`,
    `-j ${TARGETS[verdict]}`,
  ].join(' ')
}
