import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LabHost } from '../../lab/index.ts'
import { UNDERLAY } from '../../lab/underlay.ts'
import { ApiServer } from './api-server.ts'
import { objectsOf } from './manifest.ts'
import type { KubePrograms } from './programs.ts'

export const MANIFEST = join(import.meta.dirname, '../../../packaging/kubernetes/kube-flannel.yml')
const PORT = 6443
/** What an agent that runs as a service of its host does not need of the manifest. */
const OF_PODS: readonly unknown[] = ['ConfigMap', 'DaemonSet']

/** An API server that the hosts of a laboratory reach, with the service account of the manifest and its rights. */
export async function startApiServer({ apiServer }: KubePrograms, etcd: readonly string[]): Promise<ApiServer> {
  const server = await ApiServer.start({ program: apiServer, etcd, address: UNDERLAY.gateway, port: PORT })
  const items = objectsOf(await readFile(MANIFEST, 'utf8')).filter(({ kind }) => !OF_PODS.includes(kind))
  await server.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
  return server
}

/** Where a host has what docs/kubernetes.md puts into /etc/flannel: below its own /run. */
const FOLDER = '/run/flannel-agent'
export const [KUBECONFIG, NET_CONF] = [`${FOLDER}/kubeconfig`, `${FOLDER}/net-conf.json`]

/** What an agent is started with that is a service of its host; NODE_NAME stands in its environment. */
export const HOST_FLAGS = [
  ...['--kube-subnet-mgr', `--kubeconfig-file=${KUBECONFIG}`, `--net-config-path=${NET_CONF}`, '--iface=eth0'],
] as const

/** Brings a kubeconfig of the service account, and the network configuration, to each of these hosts. */
export async function equip(server: ApiServer, hosts: readonly LabHost[], netConf: object): Promise<void> {
  const token = await server.tokenOf('kube-flannel', 'flannel')
  const authority = (await readFile(server.caFile)).toString('base64')
  const kubeconfig = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'flannel' },
    contexts: [{ name: 'flannel', context: { cluster: 'cluster', user: 'flannel' } }],
    clusters: [{ name: 'cluster', cluster: { server: server.url, 'certificate-authority-data': authority } }],
    users: [{ name: 'flannel', user: { token } }],
  }
  for (const { place } of hosts) {
    await place.exec('mkdir', ['-p', FOLDER])
    for (const [path, value] of [
      [KUBECONFIG, kubeconfig],
      [NET_CONF, netConf],
    ] as const)
      await place.exec('sh', ['-c', 'umask 077 && cat >"$0"', path], { input: JSON.stringify(value) })
  }
}
