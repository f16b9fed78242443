import type { Drops } from '../../kernel/peer-filter.ts'
import { parseIp, type Ip } from '../../net/ip.ts'
import type { NftObject } from './expressions.ts'
import { COUNTER, setOf, TABLE } from './filter-rules.ts'
import { FORGED_COUNTER } from './forged-rules.ts'

/** Our table, read out of what nft lists. */
export interface Listing {
  /** All but the addresses and what the kernel counts and numbers, in a form that can be compared. */
  readonly rendering: string
  readonly peers: readonly Ip[]
  readonly drops: Drops
  /** Whether a set holds something that is no plain address. */
  readonly hasOddElements: boolean
}

/** Numbers and counts that the kernel gives, and elements: no part of the rules. */
const NOT_RULES: ReadonlySet<string> = new Set(['handle', 'packets', 'bytes', 'elem'])

/** Objects in the answer of `nft -j`. @throws {SyntaxError} when it is none */
export function parseObjects(text: string): readonly NftObject[] {
  const answer: unknown = JSON.parse(text)
  const objects = isObject(answer) ? answer['nftables'] : undefined
  if (!Array.isArray(objects)) throw new SyntaxError('no "nftables" in the answer')
  return objects.filter(isObject).filter((object) => !('metainfo' in object))
}

/** Whether our table is among those of `nft -j list tables`. */
export const hasTable = (objects: readonly NftObject[]): boolean =>
  objects.some(({ table }) => isObject(table) && table['family'] === TABLE.family && table['name'] === TABLE.name)

export function readListing(objects: readonly NftObject[]): Listing {
  const texts = objects.flatMap(({ set }) => (isObject(set) && isOurSet(set['name']) ? elementsOf(set) : []))
  const peers = texts.flatMap((text) => (typeof text === 'string' ? (parseIp(text) ?? []) : []))
  return {
    rendering: render(objects),
    peers,
    drops: { packets: countOf(objects, COUNTER), forged: countOf(objects, FORGED_COUNTER) },
    hasOddElements: peers.length < texts.length,
  }
}

function countOf(objects: readonly NftObject[], name: string): number {
  const counter = objects.map((object) => object['counter']).find((value) => isObject(value) && value['name'] === name)
  const packets = isObject(counter) ? counter['packets'] : undefined
  return typeof packets === 'number' ? packets : 0
}

/** Rules count in their order within a chain, all else does not: listings have another order than transactions. */
export function render(objects: readonly NftObject[]): string {
  const chainOf = ({ rule }: NftObject): string => (isObject(rule) ? String(rule['chain']) : '')
  const inChains = (one: NftObject, other: NftObject): number => chainOf(one).localeCompare(chainOf(other))
  const rules = objects
    .filter((object) => 'rule' in object)
    .sort(inChains)
    .map(canonical) // stable
  const others = objects.filter((object) => !('rule' in object)).map(canonical)
  return [...others.sort(), ...rules].join('\n')
}

/** JSON with the members of each object in alphabetical order. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value)
  const members = Object.entries(value).filter(([name]) => !NOT_RULES.has(name))
  return `{${members
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`)
    .join(',')}}`
}

const isOurSet = (name: unknown): boolean => name === setOf(4) || name === setOf(6)

function elementsOf(set: NftObject): readonly unknown[] {
  const elements = set['elem'] ?? []
  return Array.isArray(elements) ? elements : [elements]
}

const isObject = (value: unknown): value is NftObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
