import type { Backend, OwnSubnet } from '../backend.ts'

/** Subnets are leased, and written down; how packets get from one to another is somebody else's business. */
export const allocBackend = (own: OwnSubnet): Backend<never> => ({
  type: 'alloc',
  own,
  device: undefined,
  reach: undefined,
  claimedNames: () => [],
})
