import type { StatusDocument } from '../status/document.ts'
import type { KernelFacts, TracedPeer } from './facts.ts'

/** Whether a lease is this host's own: by what its agent says, else by the end point of the tunnel that it names. Pure. */
export function isOwn(
  { subnet, mac }: TracedPeer,
  { device }: Pick<KernelFacts, 'device'>,
  status: StatusDocument | undefined,
): boolean {
  if (status !== undefined) return status.families.some((family) => family.subnet === subnet.text)
  return mac !== undefined && device?.mac === mac
}
