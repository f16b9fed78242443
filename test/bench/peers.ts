import { vxlanLease } from '../lab/index.ts'

/** The overlay that all whole processes are measured in: 65 536 subnets. */
export const CONFIG = { Network: '10.0.0.0/8', SubnetLen: 24, Backend: { Type: 'vxlan', VNI: 100 } } as const
export const DEVICE = 'flannel.100'

/** A node that exists in etcd only. */
export interface BenchPeer {
  /** First address of its subnet, which is a /24. */
  readonly base: string
  readonly publicIp: string
  readonly mac: string
}

const hex = (octet: number): string => (octet & 0xff).toString(16).padStart(2, '0')

/**
 * Number `index` of them, from 1 on.
 * @param generation each has another MAC
 */
export const benchPeer = (index: number, generation = 0): BenchPeer => ({
  base: `10.${index >> 8}.${index & 0xff}.0`,
  publicIp: `172.${16 + (index >> 16)}.${(index >> 8) & 0xff}.${index & 0xff}`,
  mac: `82:${hex(generation >> 16)}:${hex(generation >> 8)}:${hex(generation)}:${hex(index >> 8)}:${hex(index)}`,
})

export const benchPeers = (count: number): readonly BenchPeer[] =>
  Array.from({ length: count }, (_, at) => benchPeer(at + 1))

export const leaseKey = ({ base }: BenchPeer): string => `${base}-24`
export const leaseValue = ({ publicIp, mac }: BenchPeer): string => vxlanLease(publicIp, mac)

/** All that the kernel says of a peer that is new, or has another MAC, as `monitor.c` writes it. */
export const entriesOf = ({ base, mac, publicIp }: BenchPeer, isNew: boolean): readonly string[] => [
  `neighbour ${base} ${mac}`,
  `fdb ${publicIp} ${mac}`,
  ...(isNew ? [`route ${base}/24`] : []),
]
