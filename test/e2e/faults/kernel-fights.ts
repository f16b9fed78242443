import type { ReadLease } from '../../lab/expected-tables.ts'
import { DEVICE } from '../../lab/use-lab.ts'

/** Something that somebody undoes over and over, until he is ended. */
export interface Fight {
  readonly what: string
  /** Shell command that undoes it. */
  readonly undo: (peer: ReadLease) => string
  /** What the warning must name, in lower case. */
  readonly names: (peer: ReadLease) => string
  /** Whether the tables can hold anything at all meanwhile. */
  readonly leavesTheDevice: boolean
}

export const FIGHTS: readonly Fight[] = [
  {
    what: 'a neighbour',
    undo: ({ base }) => `ip neighbour delete ${base} dev ${DEVICE}`,
    names: ({ base }) => base,
    leavesTheDevice: true,
  },
  {
    what: 'a route',
    undo: ({ subnet }) => `ip route delete ${subnet} dev ${DEVICE}`,
    names: ({ subnet }) => subnet,
    leavesTheDevice: true,
  },
  {
    what: 'the MTU',
    undo: () => `ip link set ${DEVICE} mtu 1280`,
    names: () => 'mtu',
    leavesTheDevice: true,
  },
  {
    what: 'the device',
    undo: () => `ip link delete ${DEVICE}`,
    names: () => DEVICE,
    leavesTheDevice: false,
  },
]

export const fightTitle = ({ what }: Fight): string =>
  `kernel: ${what}, undone over and over: named, restored ever more slowly at little cost, peers that come are programmed`

export const TITLES: readonly string[] = FIGHTS.map(fightTitle)
