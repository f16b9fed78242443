import { WITHOUT_DEVICE, withoutSettings, type Backend, type OwnSubnet } from '../backend.ts'

const TYPE = 'alloc'

/** Subnets are leased, and written down; how packets get from one to another is somebody else's business. */
export const allocBackend = (own: OwnSubnet): Backend => ({
  ...WITHOUT_DEVICE,
  leaseTypes: [TYPE],
  own,
  routesOn: 'nowhere',
  reach: undefined,
})

export const configuredAlloc = withoutSettings({ leaseType: TYPE, programsKernel: false }, allocBackend)
