import { DEVICE } from '../../lab/use-lab.ts'
import type { MomentName } from './table.ts'

/** Something that stands where our device must be. */
export interface Obstacle {
  readonly obstacle: string
  /** Shell command, run when our own device is gone. */
  readonly add: string
  readonly remove: string
  /** What the log must say: who it is, and what to do. */
  readonly said: RegExp
}

export const OBSTACLES: readonly Obstacle[] = [
  {
    obstacle: 'another vxlan with our VNI and port',
    add: 'ip link add rival type vxlan id 100 dstport 8472 dev eth0',
    remove: 'ip link delete rival',
    said: /rival already carries VNI 100 on UDP port 8472; remove it .*or configure another/,
  },
  {
    obstacle: 'another vxlan on our port with other settings',
    add: 'ip link add rival type vxlan id 101 dstport 8472 gbp dev eth0; ip link set rival up',
    remove: 'ip link delete rival',
    said: /rival \(VNI 101\) already listens on UDP port 8472.*remove rival .*or configure another/,
  },
  {
    obstacle: 'a bridge with the name of our device',
    add: `ip link add ${DEVICE} type bridge`,
    remove: `ip link delete ${DEVICE}`,
    said: new RegExp(`device named ${DEVICE} exists, but it is a bridge device, not vxlan; rename it, remove it`),
  },
  {
    obstacle: 'a veth with the name of our device',
    add: `ip link add ${DEVICE} type veth peer name other-end`,
    remove: `ip link delete ${DEVICE}`,
    said: new RegExp(`device named ${DEVICE} exists, but it is a veth device, not vxlan; rename it, remove it`),
  },
]

/** A running agent would be faster than whoever makes the other device. */
export const CONFLICT_MOMENTS = [
  'while the agent is down',
  'while the agent is frozen',
] as const satisfies readonly MomentName[]

export const conflictTitle = ({ obstacle }: Obstacle, moment: MomentName): string =>
  `kernel: ${obstacle}, ${moment}: named, with what to do; the overlay is up once it is gone`

export const TITLES: readonly string[] = OBSTACLES.flatMap((row) =>
  CONFLICT_MOMENTS.map((moment) => conflictTitle(row, moment)),
)
