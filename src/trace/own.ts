import type { StatusDocument } from '../status/document.ts'
import { parsePrefix } from '../net/prefix.ts'
import type { CarriedWay, KernelFacts, TracedPeer } from './facts.ts'

/** Whether a lease is this host's own: by what its agent says, else by the end point of the tunnel that it names. Pure. */
export function isOwn(
  { subnet, mac }: TracedPeer,
  { device }: Pick<KernelFacts, 'device'>,
  status: StatusDocument | undefined,
): boolean {
  if (status !== undefined) return status.families.some((family) => family.subnet === subnet.text)
  return mac !== undefined && device?.mac === mac
}

/** What the leases of the backend udp say of it: mostly nothing. */
const CARRIED_TYPES = ['udp', '']

/** By which device packets to a peer go where the agent carries them, as it says; without it, by one of ours if the lease is of that kind. Pure. */
export function carriedWay(
  { family, mac, backendType }: Pick<TracedPeer, 'family' | 'mac' | 'backendType'>,
  status: Pick<StatusDocument, 'families' | 'configuration'> | undefined,
): CarriedWay | undefined {
  if (status === undefined)
    return CARRIED_TYPES.includes(backendType) ? { device: undefined, network: undefined } : undefined
  const device = status.families.find((one) => one.family === family)?.device ?? undefined
  const text = status.configuration?.networks.find((one) => one.family === family)?.network
  const network = text === undefined ? undefined : parsePrefix(text)
  if (device?.forwarder === null || device === undefined || network === undefined || mac !== undefined) return undefined
  return { device: device.name, network }
}
