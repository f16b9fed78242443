import type { KubeAccess } from '../config/options.ts'
import type { Clock, Random } from '../time/clock.ts'
import { CredentialFiles, type Environment } from './client/credentials.ts'
import { KubeClient, type RequestCounts } from './client/kube-client.ts'
import { KubeNodeStore } from './kube-node-store.ts'

export interface KubePorts {
  readonly clock: Clock
  readonly random: Random
  readonly environment: Environment
  /** Told of every request. */
  readonly counts?: RequestCounts
  /** Folder of the service account of a pod. */
  readonly serviceAccount?: string
}

/**
 * Nodes as the API server of these settings has them. Nothing is asked before the first call.
 * @throws {ConfigError} for a kubeconfig that cannot be followed, or where nothing says how to reach an API server
 */
export function openKube(access: KubeAccess, ports: KubePorts): KubeNodeStore {
  const { clock, random, counts, environment, serviceAccount } = ports
  const credentials = new CredentialFiles({ access, environment, clock, ...(serviceAccount && { serviceAccount }) })
  const client = new KubeClient({ clock, credentials, counts })
  return new KubeNodeStore({ client, clock, random, annotationPrefix: access.annotationPrefix })
}
