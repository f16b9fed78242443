import { nodesView } from '../../admin/nodes.ts'
import { showNodes, type BareNode } from '../../admin/show/leases.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { ConfigError } from '../../config/error.ts'
import type { Environment } from '../../config/environment.ts'
import { parseNetworkConfig, type NetworkConfig } from '../../config/network.ts'
import type { KubeAccess } from '../../config/options.ts'
import { systemClock } from '../../host/system-clock.ts'
import { NetConfigFile } from '../../kube/net-config/net-config-file.ts'
import type { NodeRecord } from '../../kube/nodes/node-store.ts'
import { StoreError } from '../../lease/store.ts'
import { asJson, type Asking, type Said } from '../asking/asking.ts'
import { withNodes } from '../settings/open-kube.ts'

/** `flanneld leases` where Kubernetes is asked: its Nodes, with their podCIDRs and what agents have published on them. */
export async function nodes(asked: Asking, access: KubeAccess, environment: Environment, from: string): Promise<Said> {
  try {
    return await withNodes(access, environment, async (store) => {
      const { nodes: all } = await store.list(asked.signal)
      return shown(asked, all, `the API server ${store.url}`, access)
    })
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    asked.complain(
      `${error.message}\nthe API server is taken from: ${from} (--kubeconfig-file or --kube-api-url names another)`,
    )
    return { text: '', code: EXIT.failed }
  }
}

async function shown(asked: Asking, all: readonly NodeRecord[], where: string, access: KubeAccess): Promise<Said> {
  const { recordOf } = await import('../../kube/subnets/node-claims.ts')
  const published = all.flatMap((node) => {
    const record = recordOf(node)
    return record === undefined ? [] : [{ name: node.name, record }]
  })
  const config = await configurationIn(access, asked)
  const rows = nodesView({ nodes: published, config, own: access.nodeName })
  const bare = all.flatMap((node) => (recordOf(node) === undefined ? [bareNode(node)] : []))
  const isFine = rows.every(({ problems }) => problems.length === 0)
  const document = { version: 1, nodes: rows, others: bare }
  return {
    text: asked.isJson ? asJson(document) : showNodes(rows, bare, where, asked.terminal),
    code: isFine ? EXIT.done : EXIT.failed,
  }
}

const bareNode = ({ name, podCidrs }: NodeRecord): BareNode => ({
  name,
  why:
    podCidrs.length === 0
      ? 'it was given no podCIDR (kube-controller-manager --allocate-node-cidrs)'
      : `no agent has published it yet (podCIDR ${podCidrs.join(' ')})`,
})

/** Where it cannot be had here, as beside the cluster, what lies outside of it is not known. */
async function configurationIn(access: KubeAccess, asked: Asking): Promise<NetworkConfig | undefined> {
  try {
    const text = await new NetConfigFile(access.netConfigPath, systemClock).read()
    return text === undefined ? undefined : parseNetworkConfig(text, access.netConfigPath)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    asked.complain(`the network configuration cannot be read: ${error.message}`)
    return undefined
  }
}
