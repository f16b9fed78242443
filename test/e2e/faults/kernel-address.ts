import type { MomentName } from './table.ts'

/** When the host is given another address on the underlay. */
export const ADDRESS_MOMENTS = [
  'while containers ping each other',
  'while the agent is frozen',
  'while the agent is down',
  'during start-up',
] as const satisfies readonly MomentName[]

export const addressTitle = (moment: MomentName): string =>
  `kernel: a changed public address (DHCP), ${moment}: same subnet, lease updated in place, followed by its peers`

export const TITLES: readonly string[] = ADDRESS_MOMENTS.map(addressTitle)
