import { parseIp } from '../net/ip.ts'
import { hostPrefix, parsePrefix, type Prefix } from '../net/prefix.ts'
import type { OwnChain } from './names.ts'
import { ruleText, type Mark, type Rule, type Side, type RuleVerdict } from './rules.ts'

/** A rule in a built-in chain. */
export interface BuiltinRule {
  /** As printed, without `-A CHAIN`. */
  readonly words: readonly string[]
  /** The line as printed. */
  readonly line: string
  /** Carries our comment, or leads to our chain. */
  readonly isOurs: boolean
  /** What it jumps to, or its verdict; '' for none. */
  readonly target: string
}

/** One of our chains as it stands, and the built-in chain that should lead there. */
export interface ChainState {
  /** What our chain does, rule by rule; undefined while there is no such chain. */
  readonly rules: readonly string[] | undefined
  /** All rules of the built-in chain, in order. */
  readonly builtin: readonly BuiltinRule[]
  /** Of the built-in chain; undefined where the table does not exist. */
  readonly policy: string | undefined
  /** Lines of other people's chains that lead to ours, as printed: while they stand, the kernel keeps it (EBUSY). */
  readonly holders: readonly string[]
}

/**
 * Reads from what `iptables-save` prints (iptables-save(8)) the part that concerns one of our chains. Rules that this version does not
 * know are kept in their own words; lines that are no rules are skipped.
 */
export function readChain(output: string, { table, builtin, name, comment }: OwnChain): ChainState {
  const rules: string[] = []
  const inBuiltin: BuiltinRule[] = []
  const holders: string[] = []
  let policy: string | undefined
  let isDeclared = false
  for (const line of linesOfTable(output, table)) {
    if (line.startsWith(`:${name} `)) isDeclared = true
    if (line.startsWith(`:${builtin} `)) policy = line.split(' ')[1]
    if (line.startsWith(`-A ${name} `)) rules.push(ruleWords(line.slice(name.length + 4)))
    const [, chain = '', rest = ''] = /^-A (\S+) (.*)$/.exec(line) ?? []
    if (chain === '' || chain === name) continue
    const words = splitWords(rest)
    const target = after(words, '-j') ?? after(words, '-g') ?? ''
    if (chain === builtin)
      inBuiltin.push({ words, line, target, isOurs: target === name || after(words, '--comment') === comment })
    else if (target === name) holders.push(line)
  }
  return { rules: isDeclared || rules.length > 0 ? rules : undefined, builtin: inBuiltin, policy, holders }
}

function linesOfTable(output: string, table: string): readonly string[] {
  let current = ''
  return output.split('\n').filter((line) => {
    if (line.startsWith('*')) current = line.slice(1).trim()
    return current === table
  })
}

const after = (words: readonly string[], option: string): string | undefined => {
  const at = words.indexOf(option)
  return at < 0 ? undefined : words[at + 1]
}

/** Words as iptables-save quotes them: double quotes, with `\"`, `\'` and `\\` inside. */
export function splitWords(text: string): readonly string[] {
  const words = text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)
  return Array.from(words, ([, quoted, plain]) => quoted?.replaceAll(/\\(.)/g, '$1') ?? plain ?? '')
}

function ruleWords(text: string): string {
  const rule = ruleOf(splitWords(text))
  return rule === undefined ? `unknown ${text}` : ruleText(rule)
}

const VERDICTS: ReadonlyMap<string, RuleVerdict> = new Map([
  ['RETURN', 'return'],
  ['ACCEPT', 'accept'],
  ['MASQUERADE', 'masquerade'],
])

interface Reading {
  readonly mark?: Mark
  readonly source?: Side
  readonly destination?: Side
  readonly verdict?: RuleVerdict
}

/** Undefined for whatever we would not have written. */
function ruleOf(words: readonly string[]): Rule | undefined {
  let reading: Reading = {}
  const left = [...words]
  while (left.length > 0) {
    const more = takeOption(left, reading)
    if (more === undefined) return undefined
    reading = { ...reading, ...more }
  }
  const { verdict, ...matches } = reading
  return verdict === undefined ? undefined : { ...matches, verdict }
}

/** Takes one option with its value off the words. */
function takeOption(left: string[], known: Reading): Reading | undefined {
  const negated = left[0] === '!'
  if (negated) left.shift()
  const [option = '', value = ''] = left
  if (option === '--random-fully' && known.verdict === 'masquerade' && !negated) {
    left.shift()
    return { verdict: 'masquerade-random' }
  }
  left.splice(0, 2)
  if (option === '-s' && known.source === undefined) return sideOf('source', value, negated)
  if (option === '-d' && known.destination === undefined) return sideOf('destination', value, negated)
  if (negated) return undefined
  if (option === '--comment') return {}
  if (option === '-m') return value === 'comment' || value === 'mark' ? {} : undefined
  if (option === '--mark' && known.mark === undefined) return markOf(value)
  const verdict = option === '-j' ? VERDICTS.get(value) : undefined
  return verdict === undefined || known.verdict !== undefined ? undefined : { verdict }
}

function sideOf(name: 'source' | 'destination', text: string, negated: boolean): Reading | undefined {
  const network = networkOf(text)
  if (network === undefined) return undefined
  return name === 'source' ? { source: { network, negated } } : { destination: { network, negated } }
}

function networkOf(text: string): Prefix | undefined {
  const address = parseIp(text)
  return address === undefined ? parsePrefix(text) : hostPrefix(address)
}

function markOf(text: string): Reading | undefined {
  const [value = Number.NaN, mask = 0xffff_ffff, ...more] = text.split('/').map(Number)
  return Number.isInteger(value) && Number.isInteger(mask) && more.length === 0 ? { mark: { value, mask } } : undefined
}
