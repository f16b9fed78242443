import { LONGEST_SUBNETS, parsePrefix, prefixCovers } from '../../net/prefix.ts'
import type { ConditionStatus, StatusDocument } from '../../status/document.ts'
import type { Check, Finding } from '../finding.ts'
import type { KubeFacts, KubeReads } from '../kube-facts.ts'
import type { View } from '../view.ts'
import { judgeRights, judgeServerFault } from './judge-fault.ts'
import { nodeNames } from './node-name.ts'
import { sharedPodCidrs } from './shared-podcidrs.ts'

/** What is known of the API server and of what stands there. */
interface Known {
  readonly reads: KubeReads
  readonly agent: StatusDocument | undefined
  readonly facts: KubeFacts
}

/** Conditions that follow where there is no lease. */
const FOLLOWS = ['lease', 'forwarding*', 'subnet file']

const isOfStore = ({ what, fault }: ConditionStatus): boolean =>
  fault?.error === 'StoreError' || what === 'Kubernetes API' || what === 'lease' || what === 'network configuration'

/** An agent that waits for news cannot tell a server that has none from one that is frozen, for a while: it is asked in any case. */
const check = (name: string, judge: (known: Known) => readonly Finding[]): Check<View> => ({
  name,
  look: async (view) => {
    if (view.kube === undefined) return []
    const agent = await view.agent()
    const isWell = agent?.conditions.every((condition) => !isOfStore(condition)) ?? false
    const facts = await (isWell ? view.kube.askBriefly() : view.kube.ask())
    return judge({ reads: view.kube, agent, facts })
  },
})

/** Peers that do not know of us, or look for us elsewhere, cannot answer: what their silence lets suppose is not told. */
const UNPUBLISHED = { covers: 'all peers' } as const satisfies Partial<Finding>

/** What of the conditions a finding explains that keeps an agent from its subnet. */
const explainsOf = (agent: StatusDocument | undefined, ...names: readonly string[]): readonly string[] => [
  ...names,
  ...(agent?.lease === null ? FOLLOWS : []),
]

function judgeServer({ reads, agent, facts }: Known): readonly Finding[] {
  const failing = agent?.conditions.filter(({ fault }) => fault?.error === 'StoreError') ?? []
  if (facts.refused !== undefined)
    return [
      {
        cause: 'kubeconfig-unusable',
        severity: 'broken',
        summary: `the flags for Kubernetes cannot be used: ${facts.refused.says}`,
        evidence: [facts.refused.says],
        cure: ['correct what is named, in the kubeconfig file or the manifest; then start the agent anew'],
        explains: explainsOf(agent, 'Kubernetes API'),
      },
    ]
  const explains = explainsOf(agent, 'Kubernetes API', ...failing.map(({ what }) => what))
  // what our Node should say is all that fails there: until it is written, peers do not know of us, or look elsewhere
  const isUnpublished = failing.some(({ what }) => what === 'lease')
  const byUs =
    facts.reading === undefined ? [] : [judgeServerFault(facts.reading, 'the API server, asked just now', reads)]
  const byAgent = failing.flatMap(({ what, fault }) =>
    fault === null || fault.code === 'NOT_FOUND' || fault.code === 'ABORTED'
      ? []
      : [judgeServerFault(fault, `the agent (${what})`, reads)],
  )
  const told = [...byUs, ...judgeRights(facts.missingRights, reads)]
  const known = new Set(told.map(({ cause }) => cause))
  const all = [...told, ...byAgent.filter(({ cause }) => !known.has(cause))]
  return [
    ...new Map(
      all.map((finding) => [
        finding.cause,
        { ...asServed(finding, agent), explains, ...(isUnpublished ? UNPUBLISHED : {}) },
      ]),
    ).values(),
  ]
}

/** An agent whose files were emptied or taken away goes on with what it has read before: nothing is lost before it starts anew. */
function asServed(finding: Finding, agent: StatusDocument | undefined): Finding {
  if (finding.cause !== 'kubeconfig-unusable' || agent?.store.isUp !== true || agent.lease === null) return finding
  return {
    ...finding,
    severity: 'risk',
    summary: `${finding.summary.replace('the API server is not asked: ', '')}: the agent goes on with the old credentials, and would wait for it at its next start`,
  }
}

/** Our Node can be a peer: it is there, and has a subnet; one outside of Network does no harm to an agent that holds it from before. */
const isPublished = ({ agent, facts: { node } }: Known): boolean =>
  node !== null && (node === undefined || node.podCidrs.length > 0) && agent?.lease !== null

function judgeNode(known: Known): readonly Finding[] {
  const { reads, agent, facts } = known
  const { node, nodeName = '', configuration } = facts
  const explains = explainsOf(agent, 'lease')
  const common = { severity: 'broken', explains, ...(isPublished(known) ? {} : UNPUBLISHED) } as const
  if (node === null)
    return [
      {
        ...{ ...common, cause: 'node-missing', summary: `there is no Node ${nodeName} in the cluster` },
        evidence: [`kubectl get node ${nodeName}: not found`, `the flags are those of: ${reads.from}`],
        cure: missingNodeCure(agent, nodeName),
      },
    ]
  if (node === undefined || configuration === undefined || configuration === null) return []
  return judgeSubnets(nodeName, node.podCidrs, configuration).map((finding) => ({ ...common, ...finding }))
}

/** A Node that this agent had a lease of was there under that name. */
function missingNodeCure(agent: StatusDocument | undefined, nodeName: string): readonly string[] {
  const again = 'systemctl restart kubelet on this host: a kubelet makes its Node when it starts, and only then'
  if (agent !== undefined && agent.lease !== null) return [again]
  return [
    'kubectl get nodes: NODE_NAME is to be the name under which the kubelet of this host has joined (fieldRef spec.nodeName)',
    `if that is ${nodeName}, and its Node was deleted: ${again}`,
  ]
}

const tooSmallCure = (nodeName: string, family: 4 | 6): string =>
  `--node-cidr-mask-size-ipv${family} of kube-controller-manager is to be ${LONGEST_SUBNETS[family]} or less, 24 or 64 as a rule; podCIDRs that Nodes have already never change: kubectl delete node ${nodeName}, and systemctl restart kubelet there`

/** What the Node has been given, beside what the configuration asks for. */
function judgeSubnets(
  nodeName: string,
  podCidrs: readonly string[],
  overlays: NonNullable<KubeFacts['configuration']>,
): readonly Pick<Finding, 'cause' | 'summary' | 'evidence' | 'cure'>[] {
  const subnets = podCidrs.flatMap((cidr) => parsePrefix(cidr) ?? [])
  const evidence = [
    `kubectl get node ${nodeName} -o jsonpath={.spec.podCIDRs}: ${podCidrs.length === 0 ? 'nothing' : podCidrs.join(' ')}`,
  ]
  return overlays.flatMap(({ family, network }) => {
    const subnet = subnets.find((given) => given.family === family)
    if (subnet === undefined || subnet.length > LONGEST_SUBNETS[family])
      return [
        {
          cause: 'podcidr-missing',
          summary: `Node ${nodeName} was given no podCIDR of IPv${family}${subnet === undefined ? '' : ` with room for pods, but ${subnet.text}`}`,
          evidence,
          cure: [
            ...(subnet === undefined ? [] : [tooSmallCure(nodeName, family)]),
            `kube-controller-manager with --allocate-node-cidrs=true and --cluster-cidr=${network.text} (kubeadm: networking.podSubnet); k3s and others hand podCIDRs out by themselves`,
          ],
        },
      ]
    if (prefixCovers(network, subnet)) return []
    return [
      {
        cause: 'podcidr-outside-network',
        summary: `the podCIDR ${subnet.text} of Node ${nodeName} lies outside Network ${network.text}`,
        evidence,
        cure: [
          `kubectl edit configmap: Network is to be the cluster's --cluster-cidr; podCIDRs that Nodes have already never change: kubectl delete node ${nodeName}, and let it join again`,
        ],
      },
    ]
  })
}

function judgeConfiguration({ reads, agent, facts }: Known): readonly Finding[] {
  const explains = explainsOf(agent, 'network configuration')
  const path = reads.netConfigPath
  if (facts.configuration === null)
    return [
      {
        ...{ cause: 'configuration-missing', severity: 'broken', explains },
        summary: `there is no network configuration: no file ${path} (--net-config-path)`,
        evidence: [`ls -l ${path}: no such file`],
        cure: ['mount net-conf.json of the ConfigMap there, as kube-flannel.yml does; the agent waits for it'],
      },
    ]
  if (facts.invalid === undefined) return []
  return [
    {
      ...{ cause: 'configuration-invalid', severity: 'broken', explains },
      summary: `the network configuration in ${path} is none: ${facts.invalid.says}`,
      evidence: [facts.invalid.says],
      cure: ['kubectl edit configmap; flanneld config validate FILE says what is wrong before; the agent follows'],
    },
  ]
}

/** What this host hears of the API server of Kubernetes, and of what stands there. */
export const KUBE_CHECKS: readonly Check<View>[] = [
  check('API server', judgeServer),
  check('network configuration', judgeConfiguration),
  check('our Node', judgeNode),
  sharedPodCidrs,
  nodeNames,
]
