import { Conditions } from '../../../src/agent/runtime/conditions.ts'
import type { AcquiredSubnet, HeldSubnet } from '../../../src/agent/runtime/subnet-manager.ts'
import { runTogether } from '../../../src/agent/runtime/task.ts'
import { ConfigError } from '../../../src/config/error.ts'
import { parseNetworkConfig } from '../../../src/config/network.ts'
import { AgentCounts } from '../../../src/counts/agent-counts.ts'
import { systemClock } from '../../../src/host/system-clock.ts'
import { openKube } from '../../../src/kube/open-kube.ts'
import { KubeSubnetManager } from '../../../src/kube/subnets/kube-subnet-manager.ts'
import type { LeaseTerms } from '../../../src/lease/terms.ts'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { recordingLog } from '../recording-log.ts'
import { runtime } from '../runtime.ts'
import { NODE } from '../samples.ts'
import type { FakeApiServer } from './fake-api-server.ts'

export const PREFIX = 'flannel.alpha.coreos.com/'

export const named = (annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(annotations).map(([name, value]) => [PREFIX + name, value]))

/** As upstream's agents write them. */
export const published = (publicIp: string, mac: string): Readonly<Record<string, string>> =>
  named({
    'kube-subnet-manager': 'true',
    'backend-type': 'vxlan',
    'backend-data': `{"VNI":1,"VtepMAC":"${mac}"}`,
    'public-ip': publicIp,
  })

export interface OneAgent {
  readonly nodeName: string
  readonly publicIp: string
  readonly mac: string
  /** What it takes where that is another Node's. */
  readonly otherMac?: string
  readonly bootId?: string
}

/** What an agent asks for. Like the backend of vxlan, it keeps the MAC that its Node says already. */
function termsOf({ publicIp, mac, otherMac }: OneAgent): LeaseTerms {
  const terms: LeaseTerms = {
    node: NODE,
    instance: 'm',
    overlays: parseNetworkConfig('{"Network":"10.244.0.0/16"}', 'test').overlays,
    publicIps: new Map([[4, ip(publicIp)]]),
    backendType: 'vxlan',
    backendData: (_, current) => current?.families[0]?.backendData ?? { VNI: 1, VtepMAC: mac },
    previousSubnets: [],
    hintedSubnets: [],
    traceOf: () => undefined,
    avoid: [prefix('192.168.205.0/24')],
    ttlSeconds: 86_400,
  }
  if (otherMac === undefined) return terms
  return { ...terms, copy: { ...terms, backendData: () => ({ VNI: 1, VtepMAC: otherMac }) } }
}

/** An agent's side of a cluster that has one API server in memory. */
export class KubeAgent {
  readonly log = recordingLog()
  readonly conditions = new Conditions({ clock: systemClock, log: this.log })
  readonly #stop = new AbortController()
  readonly #manager: KubeSubnetManager
  readonly #terms: LeaseTerms
  readonly #close: () => void
  #running: Promise<void> = Promise.resolve()

  constructor(api: FakeApiServer, agent: OneAgent) {
    const { nodeName, bootId } = agent
    const access = { apiUrl: api.url, annotationPrefix: PREFIX, netConfigPath: '/nowhere', nodeName }
    const random = (): number => 0
    const store = openKube({ ...access, setsNetworkAvailable: false }, { clock: systemClock, random, environment: {} })
    this.#close = () => {
      store.close()
    }
    this.#terms = termsOf(agent)
    this.#manager = new KubeSubnetManager(
      { ...access, setsNetworkAvailable: false },
      {
        ...{ store, clock: systemClock, random, log: this.log, conditions: this.conditions },
        ...{ counts: new AgentCounts(), bootId },
        configuration: {
          name: 'net-conf.json',
          read: () => Promise.resolve(undefined),
          watch: async function* () {},
          missing: () => new ConfigError('net-conf.json', 'a file', undefined),
          check: () => undefined,
        },
        resolveHost: () => Promise.resolve([]),
        wallMs: Date.now,
      },
    )
  }

  acquire(): Promise<AcquiredSubnet> {
    return this.#manager.acquire(this.#terms, this.#stop.signal)
  }

  async hold(): Promise<HeldSubnet> {
    const acquired = await this.acquire()
    // from now on it has the device that it has said, as a session has
    const { backendData } = acquired.lease.families[0] ?? {}
    const terms = { ...this.#terms, backendData: (): unknown => backendData }
    const peers = { onList: () => undefined, onChanges: () => undefined }
    const held = acquired.hold({ terms, peers, isForwarding: () => true })
    this.#running = runTogether(held.tasks, runtime(systemClock, this.#stop.signal))
    return held
  }

  /** Why its lease is not as it should be. */
  get complaint(): string | undefined {
    return this.conditions.all().find(({ what }) => what === 'lease')?.reason
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#close()
  }
}
