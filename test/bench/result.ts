import type { Figure, Missing } from './figure.ts'
import type { Machine } from './machine.ts'

/** What a whole run gives, for machines; result.schema.json is its schema. */
export interface Result {
  readonly format: 1
  readonly machine: Machine
  readonly quick: boolean
  readonly tookSeconds: number
  readonly figures: readonly (Figure | Missing)[]
}
