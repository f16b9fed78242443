import { figureOf, type Figure } from './figure.ts'

const NAME = 'start'

/** Calls by method. */
export type Asked = Readonly<Record<string, number>>

/** What a start of this size asked of etcd, by run. */
export interface AskedBySize {
  readonly peers: number
  readonly asked: readonly Asked[]
}

/** The first pages of a list are small, and none has fewer keys than this once they have grown. */
const SMALL_PAGES = 8
const LEAST_OF_A_PAGE = 500

const reads = (asked: Asked): number => asked['etcdserverpb.KV/Range'] ?? 0
const total = (asked: Asked): number => Object.values(asked).reduce((sum, count) => sum + count, 0)

/** What joining costs etcd depends on the number of peers in nothing but the pages of the one list. */
export function requestFigures([smallest, ...larger]: readonly AskedBySize[]): readonly Figure[] {
  if (smallest === undefined) return []
  const figures = ({ peers, asked }: AskedBySize): readonly Figure[] => {
    const told = { row: NAME, peers, unit: 'calls' }
    const isSmallest = peers === smallest.peers
    const pages = SMALL_PAGES + Math.ceil(peers / LEAST_OF_A_PAGE)
    const reference = (of: (asked: Asked) => number) => ({
      reference: { name: `with ${smallest.peers} peers`, values: smallest.asked.map(of) },
    })
    const writes = (asked: Asked): number => total(asked) - reads(asked)
    return [
      figureOf({
        ...{ ...told, what: 'etcd calls of a start, but reads', values: asked.map(writes) },
        ...(!isSmallest && { ...reference(writes), bound: { of: 'difference', most: 0 } }),
      }),
      figureOf({
        ...{ ...told, what: 'etcd reads of a start', values: asked.map(reads) },
        ...(!isSmallest && { ...reference(reads), bound: { of: 'difference', most: pages } }),
      }),
    ]
  }
  return [smallest, ...larger].flatMap(figures)
}
