import { readFileSync } from 'node:fs'
import type { Certificates } from '../../lab/certificates.ts'
import { EtcdCluster, type EtcdClusterOptions } from '../../lab/etcd-process.ts'
import { HEALTH_FLAGS } from '../../lab/health.ts'
import type { Lab, LabHost } from '../../lab/index.ts'
import { ETCD_PREFIX } from '../../lab/lab.ts'
import { UNDERLAY } from '../../lab/underlay.ts'
import { CONFIG } from '../../lab/use-lab.ts'

/** Where further etcds stand, beside the laboratory's own; each has two ports from its first one on. */
const HOST = UNDERLAY.gateway

/** Starts another etcd that the hosts can reach, with the network configuration in it. */
export async function startEtcd(port: number, options: EtcdClusterOptions): Promise<EtcdCluster> {
  const etcd = await EtcdCluster.start({ ...options, places: [{ host: HOST, clientPort: port, peerPort: port + 1 }] })
  await etcd.etcdctl(['put', `${ETCD_PREFIX}/config`, JSON.stringify(CONFIG)])
  return etcd
}

/** Starts the agent on this etcd instead of the laboratory's. */
export function startOn(host: LabHost, etcd: EtcdCluster, flags: readonly string[] = []): void {
  host.agent.startWith([`--etcd-endpoints=${etcd.endpoints.join(',')}`, '--iface=eth0', ...HEALTH_FLAGS, ...flags])
}

/** Where {@link install} puts the files on a host, by what they are. */
export const INSTALLED = {
  caFile: '/run/tls/ca.pem',
  certFile: '/run/tls/cert.pem',
  keyFile: '/run/tls/key.pem',
  otherCaFile: '/run/tls/other.pem',
} as const

/** Puts copies of the files on a host, in place of those that are there. */
export async function install({ place }: LabHost, files: Certificates): Promise<void> {
  await place.exec('mkdir', ['-p', '/run/tls'])
  for (const kind of ['caFile', 'certFile', 'keyFile', 'otherCaFile'] as const)
    await putOn({ place }, files[kind], INSTALLED[kind])
}

/** Puts a copy of a file on a host. */
export async function putOn({ place }: Pick<LabHost, 'place'>, file: string, path: string): Promise<void> {
  await place.exec('sh', ['-ec', `cat > ${path}`], { input: readFileSync(file, 'utf8') })
}

/** Ends every agent and takes away what they made, so that the next test begins from nothing. */
export async function startOver({ hosts }: Lab): Promise<void> {
  for (const { agent, place } of hosts) {
    if (agent.isRunning) await agent.kill()
    else if (agent.pid !== undefined) await agent.exit()
    await place.attempt('ip', ['link', 'delete', 'flannel.100'])
    await place.exec('rm', ['-rf', '/run/flannel'])
  }
}

/** Names below PREFIX/subnets/. */
export async function leaseNames(etcd: EtcdCluster): Promise<readonly string[]> {
  const prefix = `${ETCD_PREFIX}/subnets/`
  const keys = await etcd.etcdctl(['get', '--prefix', '--keys-only', prefix])
  return keys.split('\n').flatMap((line) => (line === '' ? [] : [line.slice(prefix.length)]))
}

export const putInto = (etcd: EtcdCluster, name: string, value: string): Promise<string> =>
  etcd.etcdctl(['put', `${ETCD_PREFIX}/subnets/${name}`, '--', value])

export const deleteFrom = (etcd: EtcdCluster, name: string): Promise<string> =>
  etcd.etcdctl(['del', `${ETCD_PREFIX}/subnets/${name}`])
