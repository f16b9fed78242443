import type { Family, Ip } from '../net/ip.ts'
import type { Challenger } from './challenges.ts'
import type { Lease, NodeIdentity } from './lease.ts'

/** No free subnet is left between SubnetMin and SubnetMax. A larger network, or a lease that ends, cures it. */
export class OutOfSubnetsError extends Error {
  override readonly name = 'OutOfSubnetsError'
  /** @param widest lease that has more than one subnet, if any: it may be all that is in the way */
  constructor(range: string, widest?: string) {
    const who = widest === undefined ? '' : `; the widest lease is ${widest}`
    super(`out of subnets: every subnet of ${range} is leased, or covers an address of the underlay${who}`)
  }
}

/** Another node's lease has our PublicIP, and that node lives or cannot be asked. Nothing of it is touched. */
export class RivalError extends Error {
  override readonly name = 'RivalError'
  readonly rival: Lease
  /** The address that both have. */
  readonly publicIp: string
  /** Who answered the challenge; undefined: we may not ask. */
  readonly answeredBy: Challenger | undefined

  /** @param candidates interfaces and addresses to choose among instead, as text for the message */
  constructor(rival: Lease, publicIp: string, answeredBy: Challenger | undefined, candidates?: string) {
    const owner = answeredBy ?? rival.node
    const who = owner === undefined ? 'another node' : nodeName(owner)
    const proof =
      answeredBy === undefined
        ? 'and whether it lives we may not ask: the role in etcd needs readwrite permission on challenges/ too'
        : 'which lives'
    const choice = candidates === undefined ? '' : ` (candidates: ${candidates})`
    super(
      `PublicIP ${publicIp} is in use: lease ${rival.key} belongs to ${who}, ${proof}. ` +
        `Choose another address with --iface or --public-ip${choice}`,
    )
    this.rival = rival
    this.publicIp = publicIp
    this.answeredBy = answeredBy
  }

  /** The same, with the interfaces to choose among in its message. */
  withCandidates(candidates: string): RivalError {
    return new RivalError(this.rival, this.publicIp, this.answeredBy, candidates)
  }
}

/** Another living machine has our node id, as copies of one disk image have. Nothing of its lease is touched. */
export class CloneError extends Error {
  override readonly name = 'CloneError'
  /** The lease that carries our node id. */
  readonly lease: Lease
  readonly answeredBy: Challenger
  constructor(lease: Lease, answeredBy: Challenger) {
    super(
      `another machine has the same machine id: lease ${lease.key} is held by ${nodeName(answeredBy)}, which lives ` +
        `at ${lease.families.map(({ publicIp }) => publicIp.text).join(', ')}. Give one of them --node-id`,
    )
    this.lease = lease
    this.answeredBy = answeredBy
  }
}

/**
 * Our own lease publishes other addresses than we would, and we were chosen an address without knowing that. Nothing was written. Whoever
 * asked looks whether this host has them, and asks again.
 */
export class OtherAddressError extends Error {
  override readonly name = 'OtherAddressError'
  /** What the lease says, by family. */
  readonly publicIps: ReadonlyMap<Family, Ip>
  constructor({ key, families }: Pick<Lease, 'key' | 'families'>) {
    super(`lease ${key} of this node publishes ${families.map(({ publicIp }) => publicIp.text).join(', ')}`)
    this.publicIps = new Map(families.map(({ family, publicIp }) => [family, publicIp]))
  }
}

/** Other nodes took what we wanted, again and again. */
export class LeaseContentionError extends Error {
  override readonly name = 'LeaseContentionError'
  constructor(attempts: number) {
    super(`no lease after ${attempts} attempts: other nodes were faster each time`)
  }
}

const nodeName = ({ id, hostname }: NodeIdentity): string => `node ${hostname || 'without name'} (${id})`
