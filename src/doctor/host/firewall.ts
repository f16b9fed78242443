import type { ForeignVerdict, ForeignVerdicts, MixedVariants } from '../../kernel/foreign-rules.ts'
import type { ConditionStatus } from '../../status/document.ts'
import { curesOf } from '../condition-cures.ts'
import type { Finding } from '../finding.ts'

const CAUSES = { forward: 'forward-drop', container: 'container-drop' } as const

/** Rules that drop what is forwarded between containers of different hosts. The port of the tunnels and masquerading are told elsewhere. Pure. */
export function judgeRules({ drops, mixed = [] }: ForeignVerdicts, accepts: boolean): readonly Finding[] {
  const found = drops.flatMap((verdict) =>
    verdict.kind === 'forward' || verdict.kind === 'container' ? [judgeDrop(verdict, verdict.kind, accepts)] : [],
  )
  return [...found, ...mixed.map(judgeMix)]
}

function judgeDrop({ place, does, cure }: ForeignVerdict, kind: keyof typeof CAUSES, accepts: boolean): Finding {
  const isOff = kind === 'forward' && !accepts
  return {
    cause: CAUSES[kind],
    severity: 'broken',
    summary: `${place} ${does}${isOff ? '; the accept of the agent is off (--iptables-forward-rules=false)' : ''}`,
    evidence: [`${toolFor(place)} shows the rule: ${place.replace(/,$/, '')}`],
    cure: [
      asCommand(cure),
      ...(isOff
        ? ['or FLANNELD_IPTABLES_FORWARD_RULES=true in /etc/default/flanneld, then systemctl restart flanneld']
        : []),
    ],
    explains: ['drops of others'],
    covers: 'none',
  }
}

/** A cure as a shell takes it, where it is a command. */
const asCommand = (cure: string): string => cure.replace(/, which is what --iptables-forward-rules does$/, '')

const toolFor = (place: string): string =>
  /iptables-legacy/.test(place)
    ? 'iptables-legacy -S'
    : /^(the policy of )?iptables/.test(place)
      ? 'iptables -S'
      : 'nft -a list ruleset'

const judgeMix = ({ family, used, ofNft, ofLegacy }: MixedVariants): Finding => {
  const tool = family === 4 ? 'iptables' : 'ip6tables'
  const other = used === 'nft' ? 'legacy' : 'nft'
  return {
    cause: 'iptables-mixed',
    severity: 'risk',
    summary: `rules of IPv${family} stand in both variants of iptables, and each command shows its own only: what one accepts, the other may drop`,
    evidence: [
      `${tool}-nft -S and its other tables: ${ofNft} rules and policies to drop`,
      `${tool}-legacy -S and its other tables: ${ofLegacy}`,
      `${tool} --version: ${used === 'nft' ? 'nf_tables' : 'legacy'}`,
    ],
    cure: [
      `update-alternatives --set ${tool} /usr/sbin/${tool}-${used}, and start anew what wrote the others (Docker, kube-proxy, a container with iptables of its own)`,
      `then empty the other: ${tool}-${other} -F; ${tool}-${other} -t nat -F`,
    ],
    explains: ['variants of iptables'],
  }
}

/** What keeps the agent's own rules from standing, by the failure of the program that writes them. Pure. */
export function judgeOwnRules({ what, reason, fault }: ConditionStatus): readonly Finding[] {
  if (what !== 'firewall' && what !== 'peer filter') return []
  const tool = fault?.target ?? ''
  const common = { severity: 'broken', evidence: [`flanneld status: ${what}: ${reason}`], explains: [what] } as const
  if (fault?.error !== 'FirewallError')
    return [
      {
        ...common,
        cause: 'firewall-contested',
        summary: 'somebody keeps changing the rules of the agent in the firewall',
        cure: CONTESTED,
      },
    ]
  switch (fault.code) {
    case 'MISSING': {
      const isNft = tool.startsWith('nft')
      return [
        {
          ...common,
          cause: 'firewall-tool-missing',
          summary: `${tool} is not installed: the agent's rules for ${what === 'firewall' ? 'masquerading and forwarding' : 'the port of VXLAN'} cannot be written`,
          cure: [
            isNft
              ? 'apt-get install nftables (dnf install nftables)'
              : 'apt-get install iptables (dnf install iptables-nft)',
            ...(what === 'firewall'
              ? [`or the other kind: "EnableNFTables": ${isNft ? 'false' : 'true'} with flanneld config set`]
              : []),
          ],
        },
      ]
    }
    case 'BLOCKED':
      return [
        {
          ...common,
          cause: 'forward-drop',
          summary: `a rule before the agent's accept may drop what the overlay forwards: ${reason}`,
          cure: ['put that rule behind (iptables -S FORWARD; nft -a list chain ip filter FORWARD)'],
        },
      ]
    default:
      return [
        {
          ...common,
          cause: 'firewall-not-written',
          summary: `the agent's rules of the firewall cannot be written: ${reason}`,
          cure: [
            `${tool || 'nft'} says why: run it by hand; ps -ef | grep -e iptables -e nft (who holds the lock)`,
            'CAP_NET_ADMIN where it says "Operation not permitted"',
          ],
        },
      ]
  }
}

const CONTESTED = [
  'nft monitor (or auditctl) shows who: a script or a firewall that reloads with "flush ruleset"',
  'let it leave our tables and chains alone: docs/firewall.md',
]

/** The rules cannot be read now: what the agent has seen of them stands. Pure. */
export function judgeUnread({ what, reason }: ConditionStatus): readonly Finding[] {
  const isOfTunnels = /to UDP port \d/.test(reason)
  const cause =
    what === 'drops of others'
      ? isOfTunnels
        ? 'udp-port-dropped-here'
        : 'forward-drop'
      : what === 'masquerading of others'
        ? 'masqueraded-by-others'
        : undefined
  if (cause === undefined) return []
  return [
    {
      cause,
      severity: 'broken',
      ...(isOfTunnels ? { covers: 'all peers', explains: ['answers of peers*', 'losses to peers*'] } : {}),
      summary: `${what}: ${reason}`,
      evidence: [`flanneld status: ${what}: ${reason}`],
      cure: curesOf(what, reason),
    },
  ]
}
