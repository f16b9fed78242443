import { isFull, type Conntrack } from '../../host/conntrack.ts'
import type { Finding } from '../finding.ts'

export interface ConntrackFacts extends Conntrack {
  /** Packets dropped because there was no room, since the start of the network namespace (`drop` in /proc/net/stat/nf_conntrack). */
  readonly drops: number
}

/** Pure. */
export function judgeConntrack({ entries, most, drops }: ConntrackFacts): readonly Finding[] {
  if (!isFull({ entries, most })) return []
  return [
    {
      cause: 'conntrack-full',
      severity: 'broken',
      summary: `the kernel's table of connections is full (${entries} of ${most}): packets of new connections are dropped, on this host and for its containers`,
      evidence: [
        `sysctl net.netfilter.nf_conntrack_count: ${entries}, net.netfilter.nf_conntrack_max: ${most}`,
        `/proc/net/stat/nf_conntrack, drop: ${drops}; dmesg says "nf_conntrack: table full, dropping packet"`,
      ],
      cure: [
        `sysctl -w net.netfilter.nf_conntrack_max=${most * 2} on the host itself, and the same in /etc/sysctl.d`,
        'conntrack -L | sort | uniq -c, or conntrack -S: who opens so many; shorter net.netfilter.nf_conntrack_tcp_timeout_established',
      ],
      explains: ['table of connections'],
    },
  ]
}
