import { type FdbState, type NeighbourState, type RouteState } from '../kernel/kernel.ts'
import { isSelected, type RouteSelection } from '../kernel/route-selection.ts'
import type { Family } from '../net/ip.ts'
import { readNeighbour, writeFdbQuery, writeNeighbourQuery } from './codec/neighbour.ts'
import { isRouteApart, readDestination, readRoute, writeRouteQuery } from './codec/route.ts'
import type { Query } from './query.ts'

/** Neighbours of one family on one link. */
export const neighboursOf = (family: Family, linkIndex: number): Query<NeighbourState> => ({
  name: 'neighbours',
  write: (writer, sequence) => {
    writeNeighbourQuery(writer, family, linkIndex, sequence)
  },
  read: (message) => {
    const found = readNeighbour(message)
    return found?.kind === 'neighbour' && found.linkIndex === linkIndex ? found.neighbour : undefined
  },
})

/** Forwarding entries of one link. */
export const fdbOf = (linkIndex: number): Query<FdbState> => ({
  name: 'fdb',
  write: (writer, sequence) => {
    writeFdbQuery(writer, linkIndex, sequence)
  },
  read: (message) => {
    const found = readNeighbour(message)
    return found?.kind === 'fdb' && found.linkIndex === linkIndex ? found.entry : undefined
  },
})

/** Main-table routes of one family. What is not selected does not come (strict checking of dump requests). */
export const routesOf = (family: Family, selection: RouteSelection): Query<RouteState> => ({
  name: 'routes',
  write: (writer, sequence) => {
    writeRouteQuery(writer, family, selection, sequence)
  },
  read: (message) => {
    const { apart } = selection
    if (apart !== undefined && isRouteApart(message, apart)) {
      const destination = readDestination(message)
      if (destination !== undefined) apart.take(destination)
      return undefined
    }
    const route = readRoute(message)
    return route && isSelected(route, selection) ? route : undefined
  },
})

/** One behind the other; may be gone through as often as they may. */
export const chained = <T>(parts: readonly Iterable<T>[]): Iterable<T> => ({
  *[Symbol.iterator]() {
    for (const part of parts) yield* part
  },
})
