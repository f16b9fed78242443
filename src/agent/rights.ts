import type { Kernel } from '../kernel/kernel.ts'

/** The kernel lets this process change nothing of the network, now or later: whoever starts it has to grant that. */
export class NoRightsError extends Error {
  override readonly name = 'NoRightsError'

  constructor() {
    super(
      'this process may not change the network: it lacks CAP_NET_ADMIN, or has it in a user namespace that the network is not of; nothing was leased. ' +
        'Grant it: AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW in a unit of systemd, --cap-add=NET_ADMIN --cap-add=NET_RAW with Docker, ' +
        'securityContext.capabilities.add in Kubernetes; or run as root, outside of rootless containers',
    )
  }
}

/** To be called before a subnet is leased: one that cannot be reached is worse than none. @throws {NoRightsError | KernelError} */
export async function demandRights(kernel: Pick<Kernel, 'mayWrite'>, signal: AbortSignal): Promise<void> {
  if (!(await kernel.mayWrite(signal))) throw new NoRightsError()
}
