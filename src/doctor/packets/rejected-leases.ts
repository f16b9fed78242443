import type { RejectedStatus } from '../../status/document.ts'
import type { Check, Finding } from '../finding.ts'
import type { View } from '../view.ts'
import { onHost } from './words.ts'

/** Peers that are not reached because their leases are not honoured. */
export const rejectedLeases: Check<View> = {
  name: 'leases that are rejected',
  async look({ agent }) {
    const status = await agent()
    return (status?.rejected.rows ?? []).map((row) => judgeRejected(row))
  },
}

/** Pure. */
export function judgeRejected(row: RejectedStatus): Finding {
  const { key, publicIp, reason } = row
  const name = row.name ?? publicIp ?? key
  const common = { severity: 'broken', peer: name, evidence: [`lease ${key} is rejected: ${reason}`] } as const
  const [, theirs, ours] = /its VNI is (\d+), ours (\d+)/.exec(reason) ?? []
  if (theirs !== undefined)
    return {
      ...{ ...common, cause: 'vni-differs' },
      summary: `${name} has VNI ${theirs}, this host ${ours ?? '?'}: neither takes the other's packets`,
      cure: [
        onHost(
          name,
          `systemctl restart flanneld, which then takes Backend.VNI from the network configuration, as this host has`,
        ),
        'where both have been restarted since it was changed, compare which configuration they read: --etcd-prefix and --etcd-endpoints',
      ],
    }
  if (/^PublicIP \S+ is our own\b/.test(reason))
    return {
      ...{ ...common, cause: 'duplicate-public-ip' },
      summary: `${name} publishes ${publicIp ?? 'an address'} as its own, which is an address of this host`,
      cure: [
        onHost(
          name,
          "flanneld with --iface= or --public-ip= that names an address of its own; what Vagrant's first interface has (10.0.2.15), every machine has",
        ),
        `if no such node is left: etcdctl del PREFIX/subnets/${key} (or flanneld release ${key})`,
      ],
    }
  if (/VtepMAC \S+ is our own/.test(reason))
    return {
      ...{ ...common, cause: 'duplicate-machine-id' },
      summary: `${name} has the same machine id as this host, and so the same MAC address on the overlay`,
      cure: [
        onHost(
          name,
          'rm /etc/machine-id && systemd-machine-id-setup, then systemctl restart flanneld; or flanneld with --node-id',
        ),
      ],
    }
  return {
    ...{ ...common, cause: 'lease-rejected', severity: 'risk' },
    summary: `the lease ${key}${name === key ? '' : ` of ${name}`} is not honoured: ${reason}`,
    cure: [
      onHost(name, 'flanneld doctor; systemctl restart flanneld, where the configuration has changed since it started'),
      `if no host has it any more: flanneld release ${key} (or etcdctl del PREFIX/subnets/${key})`,
      'docs/troubleshooting.md explains the reason in the words of the agent',
    ],
  }
}
