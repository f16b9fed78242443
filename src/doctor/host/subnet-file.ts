import { parseIp } from '../../net/ip.ts'
import { prefixOf } from '../../net/prefix.ts'
import type { ConditionStatus } from '../../status/document.ts'
import type { Finding } from '../finding.ts'

export interface SubnetFileFacts {
  readonly path: string
  /** What it says of our subnets, IPv4 before IPv6; undefined: there is no such file. */
  readonly says: readonly string[] | undefined
  /** Those of the lease; undefined: there is none. */
  readonly leased: readonly string[] | undefined
  /** What the agent says of it. */
  readonly condition: ConditionStatus | undefined
}

/** The values of FLANNEL_SUBNET and FLANNEL_IPV6_SUBNET, which name the gateway of the subnet (10.15.64.1/20). Pure. */
export const subnetsIn = (text: string): readonly string[] =>
  ['FLANNEL_SUBNET', 'FLANNEL_IPV6_SUBNET'].flatMap((name) => new RegExp(`^${name}=(\\S+)$`, 'm').exec(text)?.[1] ?? [])

const CURES: Readonly<Record<string, string>> = {
  EROFS:
    'another place with --subnet-file, or ReadWritePaths= in a drop-in of flanneld.service: its folder is read-only for the agent',
  EACCES: 'let the agent write to the folder: ls -ld, and namei -l of the path',
  ENOSPC: 'make room: df -h of that folder',
  EDQUOT: 'make room: the quota of that folder is used up',
}

/** Whether containers are told of the subnet that this host has. Pure. */
export function judgeSubnetFile({ path, says, leased, condition }: SubnetFileFacts): readonly Finding[] {
  const code = condition?.fault?.code
  if (condition !== undefined && code !== undefined && code !== null)
    return [
      {
        cause: 'subnet-file-unwritable',
        severity: 'broken',
        summary: `the subnet file ${path} cannot be written: ${condition.fault?.says ?? condition.reason}`,
        evidence: [`flanneld status: subnet file: ${condition.reason}`, `ls -l ${path}; df ${path}`],
        cure: [CURES[code] ?? `look at what stands in its place: ls -l ${path}`],
        explains: ['subnet file'],
      },
    ]
  if (says === undefined || leased === undefined || condition !== undefined) return []
  const wrong = says.filter((said) => !leased.some((subnet) => isSame(said, subnet)))
  if (wrong.length === 0) return []
  return [
    {
      cause: 'subnet-file-stale',
      severity: 'broken',
      summary: `${path} names ${wrong.join(', ')}, and the lease of this host is ${leased.join(', ')}: containers that start get addresses that are not ours`,
      evidence: [`cat ${path}: FLANNEL_SUBNET=${says[0] ?? ''}`, `flanneld status: lease ${leased.join(', ')}`],
      cure: [
        'systemctl restart flanneld writes it again; find what else writes it (another agent with the same --subnet-file)',
        'then start Docker and its containers anew: systemctl restart docker',
      ],
      explains: ['subnet file'],
    },
  ]
}

/** 10.15.64.1/20 is the gateway of 10.15.64.0/20. */
function isSame(gateway: string, subnet: string): boolean {
  const [address = '', length] = gateway.split('/')
  const ip = parseIp(address)
  return ip !== undefined && prefixOf(ip, Number(length)).text === subnet
}
