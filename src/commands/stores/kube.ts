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

type Asked = Omit<StoreFacts['endpoints'][number], 'url'>

interface Failure {
  readonly code: string
  readonly message: string
  readonly root?: string | undefined
}

/** What an answer with one of these codes of HTTP (RFC 9110 section 15.5) says: the server is there, and does not do as it is asked. */
const OF_REFUSAL = /^4\d\d$/

/** What came of the last request, for the status; all of them are counted as well. */
export class AskedServer {
  readonly #clock: Clock
  readonly #counts: StoreCounts
  #last: Asked = {
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
    this.#becomes({ ...this.#last, isUp: true, latencyMs: ms })
  }

  /** A refusal is an answer: it takes no time that is of interest. */
  failed({ code, message, root = '' }: Failure): void {
    this.#counts.failed(code)
    const lastError = { message, atMs: this.#clock.monotonicMs() }
    this.#becomes({ isUp: OF_REFUSAL.test(root), latencyMs: undefined, lastError })
  }

  #becomes(next: Asked): void {
    const { isUp, latencyMs } = this.#last
    const isAnother = isUp !== next.isUp || (latencyMs === undefined) !== (next.latencyMs === undefined)
    if (isUp !== undefined && isAnother) this.#counts.changedMs = this.#clock.monotonicMs()
    this.#last = next
  }
}
