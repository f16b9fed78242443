import type { DaemonOptions, KubeAccess } from '../../config/options.ts'
import { ConfigError } from '../../config/error.ts'
import { systemClock } from '../../host/system-clock.ts'
import type { KubeNodeStore } from '../../kube/kube-node-store.ts'
import type { Environment } from '../../config/environment.ts'

/**
 * Runs what a command does with the API server, and closes the connection after. Its client is loaded only then.
 * @throws {StoreError} whatever `body` does; {ConfigError} for a kubeconfig that cannot be followed
 */
export async function withNodes<T>(
  access: KubeAccess,
  environment: Environment,
  body: (store: KubeNodeStore) => Promise<T>,
): Promise<T> {
  const { openKube } = await import('../../kube/open-kube.ts')
  const store = openKube(access, { clock: systemClock, random: Math.random, environment })
  try {
    return await body(store)
  } finally {
    store.close()
  }
}

/**
 * What a command does to etcd has no place where the agent asks Kubernetes.
 * @param instead what does it there
 * @throws {ConfigError}
 */
export function refuseKubernetes({ kube }: Pick<DaemonOptions, 'kube'>, command: string, instead: string): void {
  if (kube === undefined) return
  throw new ConfigError(
    command,
    `an agent that asks etcd; with --kube-subnet-mgr ${instead}`,
    '--kube-subnet-mgr (--etcd-endpoints asks etcd all the same)',
  )
}
