import type { Lease } from './lease.ts'

/** No free subnet is left between SubnetMin and SubnetMax. A larger network, or a lease that ends, cures it. */
export class OutOfSubnetsError extends Error {
  override readonly name = 'OutOfSubnetsError'
  constructor(range: string) {
    super(`out of subnets: every subnet of ${range} is leased`)
  }
}

/** Another node's lease has our PublicIP. Nothing of it is touched. */
export class RivalError extends Error {
  override readonly name = 'RivalError'
  readonly rival: Lease
  constructor(rival: Lease, publicIp: string) {
    const who =
      rival.node === undefined ? 'another node' : `node ${rival.node.hostname || 'without name'} (${rival.node.id})`
    super(
      `PublicIP ${publicIp} is in use: lease ${rival.key} belongs to ${who}. ` +
        'Choose another address with --iface or --public-ip; if that node is gone for good, delete its lease',
    )
    this.rival = rival
  }
}

/** Other nodes took what we wanted, again and again. */
export class LeaseContentionError extends Error {
  override readonly name = 'LeaseContentionError'
  constructor(attempts: number) {
    super(`no lease after ${attempts} attempts: other nodes were faster each time`)
  }
}
