/** `npm run demo -- --kubernetes`: a real API server in the place of etcd, and the hosts are Nodes of it. */
import { equip, HOST_FLAGS, startApiServer } from '../kube/server/host-agent.ts'
import type { ApiServer } from '../kube/server/api-server.ts'
import { kubePrograms } from '../kube/server/programs.ts'
import type { Report } from './demo-report.ts'
import type { CommandLine } from './command.ts'
import { DEMO_CONFIG, DEMO_CONFIG_DUAL } from './demo-steps.ts'
import { parseObject } from './json.ts'
import type { Lab } from './lab.ts'
import { AGENT } from './program.ts'

/** The Node of a host has its name, as its kubelet would have it. */
export const NAMED_AGENT: CommandLine = ['sh', '-c', 'NODE_NAME=$(hostname) exec "$0" "$@"', ...AGENT]

const podCidrs = (index: number): readonly string[] => [`10.10.${index}.0/24`, `fd00:10:0:${index}::/64`]

/** What the demo does otherwise with an API server. */
export interface KubeDemo {
  readonly server: ApiServer
  /** With these flags agents are started. */
  readonly flags: readonly string[]
}

/** Makes a Node of each host, and brings to it what its agent reads. @throws {Error} where there is no API server to be had */
export async function prepareKube(lab: Lab, ipv6: boolean, report: Report): Promise<KubeDemo> {
  report.section('A kube-apiserver, its Nodes and their podCIDRs')
  const programs = await kubePrograms()
  if (typeof programs === 'string') throw new Error(programs)
  const server = await startApiServer(programs, lab.etcd.endpoints)
  for (const [index, { name }] of lab.hosts.entries())
    await server.addNode(name, podCidrs(index).slice(0, ipv6 ? 2 : 1))
  const columns = ['get', 'nodes', '-o', 'custom-columns=NAME:.metadata.name,PODCIDRS:.spec.podCIDRs']
  report.command(`$ kubectl ${columns.join(' ')}`, await server.kubectl(columns))
  const config = ipv6 ? DEMO_CONFIG_DUAL : DEMO_CONFIG
  await equip(server, lab.hosts, parseObject(config))
  report.command('host0# cat net-conf.json', config)
  report.line(`each agent: NODE_NAME=host… flanneld ${HOST_FLAGS.join(' ')}`)
  return { server, flags: HOST_FLAGS }
}

export async function showAnnotations({ server }: KubeDemo, report: Report): Promise<void> {
  report.section('What stands on each Node')
  const args = ['get', 'nodes', '-o', 'jsonpath={range .items[*]}{.metadata.name}: {.metadata.annotations}{"\\n"}{end}']
  report.command('$ kubectl get nodes -o jsonpath=…', await server.kubectl(args))
}
