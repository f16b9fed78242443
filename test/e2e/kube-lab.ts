import { afterAll } from 'vitest'
import type { NodeObject } from '../fake/kube/fake-nodes.ts'
import { FakeApiServer } from '../fake/kube/fake-api-server.ts'
import { HEALTH_FLAGS } from '../lab/health.ts'
import type { Lab, LabHost } from '../lab/index.ts'
import { AGENT } from '../lab/program.ts'
import { etcdAddress } from '../lab/underlay.ts'
import { useLab } from '../lab/use-lab.ts'

/** What upstream's manifest has, with both families. */
export const NET_CONF = {
  ...{ Network: '10.244.0.0/16', EnableIPv6: true, IPv6Network: 'fd00:244::/48' },
  Backend: { Type: 'vxlan' },
} as const
export const [DEVICE, DEVICE6] = ['flannel.1', 'flannel-v6.1'] as const
export const PREFIX = 'flannel.alpha.coreos.com'

const PORT = 6443
/** On each host, where a manifest mounts it elsewhere. */
const NET_CONF_PATH = '/run/kube-flannel/net-conf.json'
/** As the kubelet does, in one step. */
const WRITE = 'mkdir -p "${0%/*}" && cat >"$0.new" && mv "$0.new" "$0"'

/** A laboratory whose hosts are Nodes of a cluster: the name of each is that of its host. */
export interface KubeLab {
  readonly lab: Lab
  readonly api: FakeApiServer
  /** What an agent of it is started with. */
  readonly flags: readonly string[]
  /** As the kubelet writes a ConfigMap to every host. */
  writeNetConf(config: object): Promise<void>
}

/** Gives the commands and the agent of each host the name of its Node, as a manifest does. */
const inPod = ['sh', '-c', 'NODE_NAME=$(hostname) exec "$0" "$@"'] as const

/** The podCIDRs of the Node with this number. */
export const podCidrs = (index: number): readonly [string, string] => [
  `10.244.${index}.0/24`,
  `fd00:244:0:${index}::/64`,
]

/** What a Node says that an agent holds, upstream's or ours. */
export const annotationsOf = (
  publicIp: string,
  mac: string,
  v6?: { readonly publicIp: string; readonly mac: string },
) => ({
  [`${PREFIX}/backend-type`]: 'vxlan',
  [`${PREFIX}/backend-data`]: `{"VNI":1,"VtepMAC":"${mac}"}`,
  [`${PREFIX}/public-ip`]: publicIp,
  [`${PREFIX}/kube-subnet-manager`]: 'true',
  ...(v6 && {
    [`${PREFIX}/backend-v6-data`]: `{"VNI":1,"VtepMAC":"${v6.mac}"}`,
    [`${PREFIX}/public-ipv6`]: v6.publicIp,
  }),
})

export function annotation(node: NodeObject | undefined, name: string): string | undefined {
  return node?.metadata.annotations?.[`${PREFIX}/${name}`]
}

/** @param prepare once the Nodes are there, and no agent runs */
export function useKubeLab(hosts: number, prepare: (kube: KubeLab) => Promise<void>): () => KubeLab {
  const api = new FakeApiServer({ host: etcdAddress(0), port: PORT })
  let made: KubeLab | undefined
  const lab = useLab({ hosts, agentCommand: [...inPod, ...AGENT] }, async (started) => {
    await api.start()
    const flags = [
      ...['--kube-subnet-mgr', `--kube-api-url=${api.url}`, `--net-config-path=${NET_CONF_PATH}`, '--iface=eth0'],
      ...HEALTH_FLAGS,
    ]
    const writeNetConf = async (config: object): Promise<void> => {
      const input = JSON.stringify(config)
      for (const { place } of started.hosts) await place.exec('sh', ['-c', WRITE, NET_CONF_PATH], { input })
    }
    made = { lab: started, api, flags, writeNetConf }
    for (const [index, { name }] of started.hosts.entries()) api.nodes.put(name, { podCIDRs: podCidrs(index) })
    await prepare(made)
  })
  afterAll(async () => {
    await api.stop()
  })
  return () => ({ ...(made ?? never()), lab: lab() })
}

const never = (): never => {
  throw new Error('the laboratory is not up yet')
}

export const startOn = ({ flags }: KubeLab, host: LabHost): void => {
  host.agent.startWith(flags)
}
