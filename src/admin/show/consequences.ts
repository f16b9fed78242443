import type { FieldChange } from '../../config/field.ts'
import { counted } from '../../present/age.ts'
import type { Consequences } from '../consequences.ts'

/** Further ones are counted. */
const MOST_NAMED = 5

/** What becomes of a configuration, in sentences, and in the order in which to go about it. */
export function sayConsequences(found: Consequences, what: string): readonly string[] {
  const { instead, live, atRestart, splits, outside, isSame } = found
  return [
    ...(instead === undefined ? [] : [`${what} is the first that can be compared: ${instead}`]),
    ...(isSame ? [`${what} means the same as what stands in etcd`] : []),
    ...(live.length === 0 ? [] : [`agents that run follow at once: ${live.map(said).join(', ')}`]),
    ...(atRestart.length === 0
      ? []
      : [`agents that run go on as they are until they are started again: ${atRestart.map(said).join(', ')}`]),
    ...(atRestart.length === 0 ? [] : [orderOf(splits)]),
    ...sayOutside(found),
    ...(outside.length === 0 ? [] : [MOVES]),
  ]
}

const said = ({ path, from, to }: FieldChange): string => `${path} from ${from} to ${to}`

const MOVES = 'the hosts of these get another subnet when their agents are started again: containers there must move'

const orderOf = (splits: boolean): string =>
  splits
    ? 'order: put it into etcd, then restart all agents in one go (systemctl restart flanneld); hosts that were and those that were not do not reach each other meanwhile'
    : 'order: put it into etcd, then restart the agents one by one'

export function sayOutside({ outside }: Pick<Consequences, 'outside'>): readonly string[] {
  if (outside.length === 0) return []
  const named = outside.slice(0, MOST_NAMED).map(({ key, owner, why }) => `${key} of ${owner} (${why})`)
  const more = outside.length > MOST_NAMED ? [`and ${outside.length - MOST_NAMED} more`] : []
  return [`${counted(outside.length, 'lease')} would lie outside: ${[...named, ...more].join('; ')}`]
}
