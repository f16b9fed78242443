import { parseIp, type Family } from '../../net/ip.ts'
import { hostPrefix, parsePrefix, type Prefix } from '../../net/prefix.ts'
import { splitWords } from '../iptables-read.ts'
import { chainOf, type ForeignChain, type ForeignRule, type ForeignTable, type Verdict } from './rule-set.ts'
import { targetVerdict } from './targets.ts'
import { any, isInterface, isWithin, maybe, negatedIf, truth, type Condition, type Truth } from './traffic.ts'

/** What iptables writes at the end of a name that stands for all that begin so. */
const WILDCARD = '+'

const BUILT_IN: Readonly<Record<string, string>> = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
  POSTROUTING: 'postrouting',
}

type Chains = Pick<ReadonlyMap<string, unknown>, 'has'>

/** Options of targets; they and what follows say how a verdict is carried out. */
const isTargetOption = (word: string): boolean => word === '-j' || word === '-g'

/** Reads what `iptables-save` prints (iptables-save(8)). @param variant which of them, for people */
export function readSavedTables(output: string, family: Family, variant: string): readonly ForeignTable[] {
  const tables: ForeignTable[] = []
  let chains = new Map<string, ForeignChain>()
  let lines = new Map<string, string[]>()
  for (const line of output.split('\n')) {
    if (line.startsWith('*')) {
      chains = new Map()
      lines = new Map()
      const name = line.slice(1).trim()
      tables.push({ title: `${variant} ${name}`, name, family: family === 4 ? 'ip' : 'ip6', chains })
    } else if (line.startsWith(':')) {
      const [name = '', policy = ''] = line.slice(1).split(' ')
      const own: string[] = []
      lines.set(name, own)
      chains.set(name, savedChain(name, policy, own, chains))
    } else if (line.startsWith('-A ')) lines.get(line.slice(3, line.indexOf(' ', 3)))?.push(line)
  }
  return tables
}

function savedChain(name: string, policy: string, lines: readonly string[], chains: Chains): ForeignChain {
  const hook = policy === '-' ? undefined : BUILT_IN[name]
  const own = { name, hook, type: undefined, policy: policy === 'DROP' ? 'drop' : 'accept' } as const
  return chainOf(own, () => lines.map((line) => ruleOf(line.slice('-A '.length + name.length), line, chains)))
}

function ruleOf(rest: string, text: string, chains: Chains): ForeignRule {
  const words = splitWords(rest)
  const at = words.findIndex(isTargetOption)
  const matches = at < 0 ? words : words.slice(0, at)
  const target = at < 0 ? '' : (words[at + 1] ?? '')
  const options = optionsOf(matches)
  return {
    conditions: options.map(conditionOf),
    verdict: verdictOf(target, words[at] === '-g', chains),
    text,
    guarded: guardedBy(options),
  }
}

function verdictOf(target: string, isGoto: boolean, chains: Chains): Verdict {
  if (chains.has(target)) return { is: isGoto ? 'goto' : 'jump', target }
  return targetVerdict(target)
}

interface Option {
  readonly name: string
  readonly value: string
  readonly isNegated: boolean
  /** What follows the value, as with matches that take more. */
  readonly hasMore: boolean
}

/** Options with their values: `! -i docker0`, `-m conntrack --ctstate NEW`. */
function optionsOf(words: readonly string[]): readonly Option[] {
  const options: Option[] = []
  for (let at = 0; at < words.length;) {
    const isNegated = words[at] === '!'
    if (isNegated) at++
    const name = words[at++] ?? ''
    const values: string[] = []
    while (at < words.length && words[at] !== '!' && !(words[at] ?? '').startsWith('-')) values.push(words[at++] ?? '')
    options.push({ name, value: values[0] ?? '', isNegated, hasMore: values.length > 1 })
  }
  return options
}

/** Modules that ask nothing but by their options, which are looked at one by one. */
const PLAIN_MODULES: ReadonlySet<string> = new Set(['comment', 'conntrack', 'state', 'tcp', 'udp', 'multiport'])

function conditionOf({ name, value, isNegated, hasMore }: Option): Condition {
  if (hasMore) return maybe
  const condition = plainCondition(name, value)
  return condition === undefined ? maybe : negatedIf(isNegated, condition)
}

function plainCondition(name: string, value: string): Condition | undefined {
  switch (name) {
    case '-m':
      return PLAIN_MODULES.has(value) ? () => 'yes' : undefined
    case '--comment':
      return () => 'yes'
    case '-i':
      return ({ input }) => isInterface(input, value, WILDCARD)
    case '-o':
      return ({ output }) => isInterface(output, value, WILDCARD)
    case '-s':
      return addressCondition('source', value)
    case '-d':
      return addressCondition('destination', value)
    case '-p':
      return ({ protocol }) => truth(value === protocol || value === 'all')
    case '--dport':
    case '--dports':
      return ({ destinationPort }) => (destinationPort === undefined ? 'maybe' : portIn(destinationPort, value))
    case '--ctstate':
    case '--state':
      return () => truth(value.split(',').includes('NEW'))
    default:
      return undefined
  }
}

function addressCondition(side: 'source' | 'destination', value: string): Condition {
  const network = networkOf(value)
  return network === undefined ? maybe : (traffic) => isWithin(traffic[side], network)
}

function networkOf(value: string): Prefix | undefined {
  const address = parseIp(value)
  return address === undefined ? parsePrefix(value) : hostPrefix(address)
}

const portIn = (port: number, value: string): Truth =>
  any(
    value.split(',').map((part) => {
      const [from = '', to = from] = part.split(':')
      return truth(port >= Number(from) && port <= Number(to))
    }),
  )

/** Destinations of a rule that is for whatever has not come by one interface. */
function guardedBy(options: readonly Option[]): readonly string[] | undefined {
  if (!options.some(({ name, isNegated }) => name === '-i' && isNegated)) return undefined
  return options.flatMap(({ name, value, isNegated }) => {
    const network = name === '-d' && !isNegated ? networkOf(value) : undefined
    return network === undefined ? [] : [network.text]
  })
}
