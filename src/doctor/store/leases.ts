import type { ConditionStatus, StatusDocument } from '../../status/document.ts'
import { ipToInteger, parseIp } from '../../net/ip.ts'
import type { Finding } from '../finding.ts'
import type { StoreAccess } from '../store-facts.ts'
import { quoted } from '../../text/quoted.ts'
import { etcdctl } from './etcdctl.ts'

/** How many leases there are, and for how many there is room. */
export interface Room {
  readonly held: number
  readonly room: number
}

/** With less than one free subnet in so many, more hosts may soon find none. */
const FREE_SHARE = 20

/** IPv4 alone: a network of IPv6 has room for more than there are hosts. Undefined where the agent does not know. Pure. */
export function roomOf({ configuration, families, rejected, lease }: StatusDocument): Room | undefined {
  const network = configuration?.networks.find(({ family }) => family === 4)
  const own = families.find(({ family }) => family === 4)
  const [first, last] = [parseIp(network?.firstSubnet ?? ''), parseIp(network?.lastSubnet ?? '')]
  if (network === undefined || first === undefined || last === undefined) return undefined
  const room = Number((ipToInteger(last) - ipToInteger(first)) >> BigInt(32 - network.subnetLength)) + 1
  return { room, held: (own?.tables.peers ?? 0) + rejected.total + (lease === null ? 0 : 1) }
}

/** Whether the overlay is out of free subnets, or nearly so. @param waits this host has no lease for want of one. Pure. */
export function judgeRoom(access: StoreAccess, { held, room }: Room, waits: boolean): readonly Finding[] {
  const free = Math.max(0, room - held)
  if (!waits && free * FREE_SHARE >= room) return []
  const counted = `${held} leases, room for ${room}`
  return [
    {
      cause: waits ? 'out-of-subnets' : 'few-subnets',
      ...(waits ? ({ severity: 'broken', covers: 'all peers' } as const) : ({ severity: 'risk' } as const)),
      summary: waits
        ? `there is no free subnet for this host: ${counted}`
        : `the overlay is running out of subnets: ${free} of ${room} are free`,
      evidence: [
        `flanneld leases: ${counted}`,
        `${etcdctl(access, `get --prefix --keys-only ${quoted(`${access.prefix}/subnets/`)}`)} lists them`,
      ],
      cure: [
        'flanneld leases shows whose they are; of a host that is gone for good: flanneld release SUBNET',
        'a larger SubnetMax or Network in flanneld config set, or a longer SubnetLen (hosts that have a lease keep it until their agent is started again)',
      ],
      explains: waits ? ['lease', 'forwarding*', 'subnet file'] : ['free subnets'],
    },
  ]
}

/** Why this host has no lease, or none that it can keep, by the class of the error. Pure. */
export function judgeLease({ what, reason, fault }: ConditionStatus): readonly Finding[] {
  const cause = what === 'lease' ? CAUSE_OF_LEASE[fault?.error ?? ''] : undefined
  if (cause === undefined) return []
  const explains = ['lease', 'forwarding*', 'subnet file']
  return [
    {
      ...cause,
      ...{ severity: 'broken', covers: 'all peers' },
      summary: `this host has no lease: ${reason}`,
      evidence: [`flanneld status: lease: ${reason}`],
      explains,
    },
  ]
}

const CAUSE_OF_LEASE: Readonly<Record<string, Pick<Finding, 'cause' | 'cure'> | undefined>> = {
  RivalError: {
    cause: 'duplicate-public-ip',
    cure: [
      'flanneld leases shows who has it; ip -br address shows what this host has',
      'FLANNELD_IFACE= (or FLANNELD_PUBLIC_IP=) in /etc/default/flanneld with the interface by which the hosts reach each other, then systemctl restart flanneld',
    ],
  },
  CloneError: {
    cause: 'duplicate-machine-id',
    cure: [
      'on the copy: rm /etc/machine-id && systemd-machine-id-setup, and a reboot; or FLANNELD_NODE_ID=NAME in /etc/default/flanneld, then systemctl restart flanneld',
    ],
  },
  LeaseContentionError: { cause: 'lease-contended', cure: ['nothing: it is tried again'] },
}
