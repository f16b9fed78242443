import type { ConditionStatus } from '../../status/document.ts'
import { quoted } from '../../text/quoted.ts'
import type { Check, Finding } from '../finding.ts'
import type { NodeSeen } from '../kube-facts.ts'
import { SILENCE } from '../silence.ts'
import type { View } from '../view.ts'

/**
 * What it leads to where an agent says on the Node of another host where its own is. Cures of these take away the bridge, the routes or the
 * Node of a host that has them rightly.
 */
const LEADS_TO = [
  ...['bridge-on-other-subnet', 'foreign-route-wins', 'subnet-file-stale', 'podcidr-shared', 'lease-rejected'],
  ...['duplicate-public-ip', 'duplicate-machine-id', 'duplicate-vtep-mac'],
]

const COMMON = {
  severity: 'broken',
  covers: 'all peers',
  explains: ['lease', 'podCIDRs of Nodes', ...SILENCE],
} as const

const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/** Whether the name under which the agent runs is that of the Node of this host, and its alone. */
export const nodeNames: Check<View> = {
  name: 'the name of our Node',
  async look({ kube, agent, host }) {
    if (kube === undefined) return []
    const status = await agent()
    const shared = (status?.conditions ?? []).flatMap(judgeContest)
    const name = status?.node.id ?? (await kube.askBriefly()).nodeName
    const hostname = (await host.text('/proc/sys/kernel/hostname'))?.toLowerCase() ?? ''
    if (name === undefined || hostname === '' || name === hostname) return shared
    const nodes = await kube.nodes([name, hostname])
    const bootId = await host.text(BOOT_ID)
    return [...shared, ...judgeName({ name, hostname, bootId, nodes, from: kube.from })]
  },
}

interface NameFacts {
  /** Under which the agent runs. */
  readonly name: string
  /** As kubelets name their Nodes, unless they are told otherwise: in small letters. */
  readonly hostname: string
  /** Of this host; undefined: not known. */
  readonly bootId: string | undefined
  readonly nodes: ReadonlyMap<string, NodeSeen>
  /** Where the flags were found. */
  readonly from: string
}

/** Pure. Kubelets say on which boot of a machine they run; where they do not, a Node with the name of this host is taken for its own. */
function judgeName({ name, hostname, bootId, nodes, from }: NameFacts): readonly Finding[] {
  const [named, ofHost] = [nodes.get(name), nodes.get(hostname)]
  if (ofHost === undefined) return []
  const isOurs = bootId !== undefined && named?.bootId === bootId
  const isOthers = bootId !== undefined && ofHost.bootId !== undefined && ofHost.bootId !== bootId
  if (isOurs || isOthers) return []
  const isKnown = bootId !== undefined && ofHost.bootId === bootId
  return [
    {
      ...{ ...COMMON, cause: 'node-name-wrong' },
      summary: `the agent of this host runs as Node ${name}, and the Node of this host is ${hostname}: pods and peers get what is another host's`,
      evidence: [
        `hostname: ${hostname}; kubectl get node ${quoted(hostname)}: it is there`,
        ...(isKnown ? [`its .status.nodeInfo.bootID is ${bootId}, as ${BOOT_ID} has here`] : []),
        `NODE_NAME is ${name}, by the flags of: ${from}`,
      ],
      cure: [
        `here: NODE_NAME=${quoted(hostname)} in what starts the agent (in a DaemonSet: fieldRef spec.nodeName), and start it anew`,
        `on ${name}: flanneld doctor; where NODE_NAME is ${hostname} there, the two are exchanged: correct it as well. Delete no Node, no route and no bridge before`,
      ],
      leadsTo: ['node-missing', 'node-name-shared', ...LEADS_TO],
    },
  ]
}

/** What the agent says of another under its name. Pure. */
function judgeContest({ what, reason }: ConditionStatus): readonly Finding[] {
  const [, name = '', ours = '', theirs = '', verdict = ''] =
    /^two agents run under the name of Node (\S+): its annotations say by turns (.+?), which is us, and (.+?); (.+?)(?:\. |$)/.exec(
      reason,
    ) ?? []
  if (what !== 'lease' || name === '') return []
  const there = `on the host with ${theirs}: NODE_NAME is to be the Node of that host (in a DaemonSet: fieldRef spec.nodeName), then start its agent anew`
  const here = 'here: the same, where this host is the one with the wrong name'
  return [
    {
      ...{ ...COMMON, cause: 'node-name-shared' },
      summary: `two agents run under the name of Node ${name}: it says by turns ${ours}, which is this host, and ${theirs}`,
      evidence: [
        `flanneld status: lease: ${verdict}`,
        `kubectl get node ${quoted(name)} -o yaml --show-managed-fields`,
      ],
      cure: [
        ...(/of another host/.test(verdict)
          ? [
              `here: NODE_NAME is to be the Node of this host (in a DaemonSet: fieldRef spec.nodeName), then start the agent anew`,
            ]
          : /of this host/.test(verdict)
            ? [there]
            : [there, here]),
        'where that is done: nothing, the Node is put right within minutes. Delete no Node before',
      ],
      leadsTo: LEADS_TO,
    },
  ]
}
