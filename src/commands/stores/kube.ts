import { ConfigError } from '../../config/error.ts'
import type { StoreCounts } from '../../counts/agent-counts.ts'
import { readBootId } from '../../host/identity.ts'
import { resolveHost } from '../../host/resolve.ts'
import { NetConfigFile } from '../../kube/net-config/net-config-file.ts'
import { openKube } from '../../kube/open-kube.ts'
import { KubeSubnetManager } from '../../kube/subnets/kube-subnet-manager.ts'
import type { Clock } from '../../time/clock.ts'
import type { StoreFacts } from '../serve/live-agent.ts'
import type { OpenDaemonStore } from './daemon-store.ts'

/** Nodes of Kubernetes. */
export const openDaemonStore: OpenDaemonStore = ({ kube: access }, { environment, ...own }) => {
  if (access === undefined) throw new ConfigError('--kube-subnet-mgr', 'true', false)
  const asked = new AskedServer(own.clock, own.counts.store)
  const store = openKube(access, { ...own, environment, counts: asked })
  const configuration = new NetConfigFile(access.netConfigPath, own.clock)
  const bootId = readBootId()
  const subnets = new KubeSubnetManager(access, { ...own, store, configuration, resolveHost, wallMs: Date.now, bootId })
  return {
    subnets,
    facts: {
      kind: 'kubernetes',
      outage: 'Kubernetes API',
      get endpoints() {
        return [asked.endpoint(store.url)]
      },
      certificates: undefined,
    },
    lookAgain: () => undefined, // looked at before each connection
    close: () => {
      store.close()
    },
  }
}

/** What came of the last request, for the status; all of them are counted as well. */
export class AskedServer {
  readonly #clock: Clock
  readonly #counts: StoreCounts
  #last: Omit<StoreFacts['endpoints'][number], 'url'> = {
    isUp: undefined,
    latencyMs: undefined,
    lastError: undefined,
  }

  constructor(clock: Clock, counts: StoreCounts) {
    this.#clock = clock
    this.#counts = counts
  }

  endpoint(url: string): StoreFacts['endpoints'][number] {
    return { url, ...this.#last }
  }

  answered(ms: number): void {
    this.#counts.answered(ms)
    this.#last = { ...this.#last, isUp: true, latencyMs: ms }
  }

  failed({ code, message }: { readonly code: string; readonly message: string }): void {
    this.#counts.failed(code)
    this.#last = {
      ...{ isUp: false, latencyMs: undefined },
      lastError: { message, atMs: this.#clock.monotonicMs() },
    }
  }
}
