import { prefixesOverlap, type Prefix } from '../../../src/net/prefix.ts'
import type { WorldNode } from './node.ts'
import { OwnNode } from './own-node.ts'

export const overlap = (some: readonly Prefix[], others: readonly Prefix[]): boolean =>
  some.some((one) => others.some((other) => prefixesOverlap(one, other)))

/** Copies of one machine. */
export const isOfOneImage = (one: WorldNode, other: WorldNode): boolean =>
  one instanceof OwnNode && other instanceof OwnNode && one.identity.id === other.identity.id

/** Two machines that nothing tells from each other but what they say themselves: copies with one address. */
export const isTwin = (one: WorldNode, other: WorldNode): boolean =>
  isOfOneImage(one, other) && one.address === other.address

/** Twins one of which has slept through what the other asked. */
export const isUndecided = (one: WorldNode, other: WorldNode): boolean =>
  isTwin(one, other) && (one.hasSlept || other.hasSlept)

export interface Overlap {
  readonly text: string
  /** Whether the leases of both stand in the store, or one of them has yet to learn that its own is gone. */
  readonly kind: 'twins' | 'both stand' | 'one is gone'
}

/** Pairs of nodes that run and believe to hold the same addresses. */
export function overlapsOf(nodes: readonly WorldNode[], stands: (node: WorldNode) => boolean): readonly Overlap[] {
  const holders = nodes.flatMap((node) =>
    node.belief === undefined || node.isFrozen ? [] : [{ node, belief: node.belief }],
  )
  const kindOf = (one: WorldNode, other: WorldNode): Overlap['kind'] =>
    isTwin(one, other) ? 'twins' : stands(one) && stands(other) ? 'both stand' : 'one is gone'
  return holders.flatMap(({ node, belief }, at) =>
    holders
      .slice(at + 1)
      .filter((other) => overlap(belief.subnets, other.belief.subnets) && !isUndecided(node, other.node))
      .map((other) => ({ other, kind: kindOf(node, other.node) }))
      .map(({ other, kind }) => ({
        text: `${node.name} ${belief.key} and ${other.node.name} ${other.belief.key} (${kind})`,
        kind,
      })),
  )
}
