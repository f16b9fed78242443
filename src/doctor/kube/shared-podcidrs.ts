import type { StatusDocument } from '../../status/document.ts'
import { quoted } from '../../text/quoted.ts'
import type { Check, Finding } from '../finding.ts'
import type { NodeSeen } from '../kube-facts.ts'
import type { View } from '../view.ts'

/** Nodes of which only one can have what they were given. */
interface Shared {
  readonly names: readonly string[]
  /** What they have, in words. */
  readonly what: string
  readonly seen: string
}

/** Nodes that were given the same podCIDR, or some that overlap: whose it is is decided by their ages, which only the Nodes tell. */
export const sharedPodCidrs: Check<View> = {
  name: 'podCIDRs of Nodes',
  async look({ kube, agent }) {
    const status = await agent()
    if (kube === undefined || status === undefined) return []
    const own = status.node.id
    const shared = [...sameOnes(status), ...overlapping(status, own)]
    if (shared.length === 0) return []
    const nodes = await kube.nodes([...new Set(shared.flatMap(({ names }) => names))])
    return shared.map((one) => judgeShared(one, nodes, own))
  },
}

const sameOnes = ({ conditions }: StatusDocument): readonly Shared[] =>
  conditions.flatMap(({ what, reason }) => {
    const [, said, cidr] = /^Nodes (.+?) have the same podCIDR ([^\s;,]+)/.exec(reason) ?? []
    return what !== 'podCIDRs of Nodes' || said === undefined || cidr === undefined
      ? []
      : [
          {
            names: said.split(/, | and /),
            what: `the same podCIDR ${cidr}`,
            seen: `flanneld status: ${what}: ${reason}`,
          },
        ]
  })

const overlapping = ({ rejected, lease }: StatusDocument, own: string): readonly Shared[] =>
  rejected.rows.flatMap(({ name, code, subnet, key, reason }) =>
    code !== 'own_subnet' || name === null || lease?.key === key
      ? []
      : [
          {
            names: [own, name],
            what: `podCIDRs that overlap (${lease?.subnets.join(', ') ?? ''}; ${subnet ?? key})`,
            seen: `flanneld leases: ${key} of ${name} is rejected: ${reason}`,
          },
        ],
  )

/** Pure. As agents decide it: of two Nodes of one age, that with the lesser name counts as the older. */
function judgeShared({ names, what, seen }: Shared, nodes: ReadonlyMap<string, NodeSeen>, own: string): Finding {
  const ages = names.flatMap((name) => ({ name, createdMs: nodes.get(name)?.createdMs ?? 0 }))
  const isKnown = ages.every(({ createdMs }) => createdMs > 0)
  const [oldest, ...younger] = ages.toSorted((a, b) => a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1))
  const isOurs = names.includes(own)
  const [other, ...more] = names.filter((name) => name !== own)
  const isToGo = !isKnown || oldest?.name !== own
  return {
    cause: 'podcidr-shared',
    severity: isOurs ? 'broken' : 'risk',
    summary: `Nodes ${names.join(' and ')} have ${what}: ${isKnown ? `that of ${oldest?.name ?? ''}, the older one, counts` : 'that of the oldest counts'}`,
    evidence: [seen, ...(isKnown ? ages.map(saysAge) : [])],
    cure: isKnown ? younger.map(({ name }) => joinsAnew(name)) : [WHERE_NOT_KNOWN],
    explains: ['podCIDRs of Nodes'],
    ...(isOurs && isToGo ? { leadsTo: ['bridge-on-other-subnet'], covers: 'all peers' } : {}),
    ...(isOurs && !isToGo && other !== undefined && more.length === 0 ? { peer: other } : {}),
  }
}

const saysAge = ({ name, createdMs }: { readonly name: string; readonly createdMs: number }): string =>
  `kubectl get node ${quoted(name)} -o jsonpath={.metadata.creationTimestamp}: ${new Date(createdMs).toISOString()}`

const joinsAnew = (name: string): string =>
  `kubectl delete node ${quoted(name)}, the younger one; then on ${name}: systemctl restart kubelet, which joins anew with another podCIDR, and its pods anew`

const WHERE_NOT_KNOWN =
  'kubectl get nodes --sort-by=.metadata.creationTimestamp: kubectl delete node of the younger one alone; then there: systemctl restart kubelet, and its pods anew'
