/*
 * kube/subnets is the subnet manager over the Nodes of a Kubernetes cluster, as upstream's `--kube-subnet-mgr` has it: a Node's podCIDR is its
 * subnet, its annotations are what it claims. It is handed the `NodeStore` port, and so runs on a store in memory as it does on an API
 * server. The agent calls it as its `SubnetManager`.
 */
import { StoreAddresses, type ResolveHost } from '../../agent/managers/store-addresses.ts'
import { StoreOutages } from '../../agent/managers/store-outages.ts'
import type { AgentPorts } from '../../agent/runtime/ports.ts'
import type {
  AcquiredSubnet,
  ConfigurationSource,
  HeldSubnet,
  Holding,
  SubnetManager,
} from '../../agent/runtime/subnet-manager.ts'
import type { Task } from '../../agent/runtime/task.ts'
import { ConfigError } from '../../config/error.ts'
import type { KubeAccess } from '../../config/options.ts'
import type { Lease, LeaseClaim } from '../../lease/lease.ts'
import { StoreError } from '../../lease/store.ts'
import type { LeaseTerms } from '../../lease/terms.ts'
import type { NodeRecord, NodeStore, OneNode } from '../nodes/node-store.ts'
import { apiOutage } from './api-outage.ts'
import { NetworkAvailableTask } from './network-available-task.ts'
import { annotationsOf, differing, leaseOf } from './node-claims.ts'
import { NodeDirectory } from './node-directory.ts'
import { NodeFollower } from './node-follower.ts'
import { ownClaim } from './own-claim.ts'
import { OwnNode } from './own-node.ts'
import { olderWithSameMac, type OlderHolder } from './same-mac.ts'

export interface KubeSubnetPorts extends Pick<AgentPorts, 'clock' | 'random' | 'log' | 'conditions' | 'counts'> {
  readonly store: NodeStore
  /** The file with the network configuration. */
  readonly configuration: ConfigurationSource
  /** Addresses of a host name, for that in the URL of the API server. */
  readonly resolveHost: ResolveHost
  /** Wall-clock time, in milliseconds: conditions of a Node have it. */
  readonly wallMs: () => number
  /** On which boot of this host we run (random(4), boot_id); undefined: not known. */
  readonly bootId?: string | undefined
}

/** What was found and made out when the subnets were acquired. */
interface Found {
  /** As it was written, or found where nothing had to be. */
  readonly node: OneNode
  /** As it was seen last; undefined: it is gone. */
  readonly listed: NodeRecord | undefined
  readonly lease: Lease
  readonly directory: NodeDirectory
  readonly resourceVersion: string
}

/** Nodes and their podCIDRs, as upstream has them. */
export class KubeSubnetManager implements SubnetManager {
  readonly store = 'the Kubernetes API'
  readonly leasesSubnets = false
  readonly configuration: ConfigurationSource
  readonly endpoints: StoreAddresses
  readonly tasks: readonly Task[]
  readonly #access: KubeAccess
  readonly #ports: KubeSubnetPorts

  constructor(access: KubeAccess, ports: KubeSubnetPorts) {
    this.#access = access
    this.#ports = ports
    this.configuration = ports.configuration
    const urls = (): readonly string[] => (ports.store.url === '' ? [] : [ports.store.url])
    this.endpoints = new StoreAddresses('the Kubernetes API', urls, ports.resolveHost, ports.clock)
    this.tasks = [this.endpoints]
  }

  prepare(signal: AbortSignal): Promise<void> {
    return this.endpoints.first(signal)
  }

  async acquire(terms: LeaseTerms, signal: AbortSignal): Promise<AcquiredSubnet> {
    const { store } = this.#ports
    const name = await this.#nodeName(signal)
    const found = await store.read(name, signal)
    if (found === undefined) throw missing(name)
    const first = ownClaim(found, terms)
    const { nodes, resourceVersion } = await store.list(signal)
    const holder = olderWithSameMac(first.claim, found, nodes)
    const { claim, warnings } = holder === undefined ? first : ownClaim(found, termsOfCopy(terms))
    const annotations = differing(annotationsOf(claim), found.annotations)
    const isKept = Object.keys(annotations).length === 0
    const node = isKept ? found : await store.patch(name, { annotations }, signal)
    if (node === undefined) throw missing(name)
    const lease = leaseOf(node)
    if (lease === undefined) throw notTaken(node) // somebody else writes them at the same time
    const listed = isKept ? nodes.find((one) => one.name === name) : node
    const directory = new NodeDirectory(name)
    directory.replace(nodes)
    return {
      lease,
      node: { id: name, hostname: name },
      how: isKept ? 'kept' : 'updated',
      warnings: [...warnings, ...remarksOn({ found, claim, holder, bootId: this.#ports.bootId })],
      peerCount: directory.size,
      takePeers: () => directory.records,
      hold: (holding) => this.#hold({ node, listed, lease, directory, resourceVersion }, holding),
    }
  }

  /** @throws {StoreError} while the pod, or what it says, cannot be had */
  async #nodeName(signal: AbortSignal): Promise<string> {
    const { nodeName, pod } = this.#access
    if (nodeName !== undefined) return nodeName
    if (pod === undefined)
      throw new ConfigError('NODE_NAME', 'the name of our Node, or POD_NAME and POD_NAMESPACE', undefined)
    const name = await this.#ports.store.nodeOfPod(pod.namespace, pod.name, signal)
    if (name !== undefined) return name
    const message = `pod ${pod.namespace}/${pod.name} (POD_NAMESPACE, POD_NAME) does not exist, or is on no Node yet`
    throw new StoreError({ op: 'our pod', code: 'NOT_FOUND', retryable: true, message })
  }

  #hold({ node, listed, lease, directory, resourceVersion }: Found, holding: Holding): HeldSubnet {
    const { store, ...ports } = this.#ports
    const { terms, peers, isForwarding } = holding
    const { wallMs, bootId } = ports
    const publishedBy = (): string | undefined => own.publishedBy
    const available = new NetworkAvailableTask({ ports, store, nodeName: node.name, publishedBy, isForwarding, wallMs })
    const onSeen = (): void => {
      available.nodeChanged()
    }
    const own = new OwnNode({ ports, store, terms, lease, node, bootId, onSeen })
    own.observe(listed)
    const onBack = (): void => {
      own.hurry()
    }
    const outages = new StoreOutages({ ...ports, condition: apiOutage(ports.conditions), onBack, isForwarding })
    const { key: ownKey } = lease
    const follower = new NodeFollower({ ports, store, directory, resourceVersion, own, ownKey, peers, outages })
    return {
      tasks: [follower, own, ...(this.#access.setsNetworkAvailable ? [available] : [])],
      get lost() {
        return own.lost
      },
      get overwrites() {
        return own.overwrites
      },
      get life() {
        return own.isThere ? FOR_EVER : undefined
      },
      publish: (changed) => {
        own.publish(changed)
      },
    }
  }

  /** API servers keep no history. */
  saidAt(): Promise<'forgotten'> {
    return Promise.resolve('forgotten')
  }

  refreshConnections(): void {
    this.#ports.store.refreshConnections()
  }
}

/** The same, but for a MAC that is no other Node's: that which a copy of a machine is given. Where there is none, it stays. */
const termsOfCopy = (terms: LeaseTerms): LeaseTerms => ({
  ...terms,
  backendData: terms.copy?.backendData ?? terms.backendData,
})

interface Remarkable {
  /** Our Node as it was. */
  readonly found: OneNode
  readonly claim: LeaseClaim
  readonly holder: OlderHolder | undefined
  readonly bootId: string | undefined
}

/** What the operator should read of how our Node stands to others. */
function remarksOn({ found, claim, holder, bootId }: Remarkable): readonly string[] {
  const remarks: string[] = []
  if (holder !== undefined)
    remarks.push(
      `Node ${holder.node}, which is older, publishes VtepMAC ${holder.mac} as well, and all reach that one by it: this host takes another. ` +
        'Where it has joined anew under another name, delete the Node of the former one',
    )
  const before = leaseOf(found)
  const [theirs, ours] = [addressesIn(before), addressesIn(claim)]
  const isOther = bootId !== undefined && found.bootId !== undefined && found.bootId !== bootId
  if (isOther && before !== undefined && theirs !== ours)
    remarks.push(
      `Node ${found.name} is of another host, at ${theirs}, or its kubelet has not reported since this one was started: ` +
        'is NODE_NAME the Node of this host?',
    )
  return remarks
}

const addressesIn = (claim: LeaseClaim | undefined): string =>
  (claim?.families ?? []).map(({ publicIp }) => publicIp.text).join(', ')

const FOR_EVER = { renewedAtMs: undefined, expiresAtMs: undefined }

function missing(name: string): StoreError {
  const message = `Node ${name} does not exist: NODE_NAME is to say the name under which the kubelet of this host has it`
  return new StoreError({ op: 'our Node', code: 'NOT_FOUND', retryable: true, message })
}

function notTaken({ name }: NodeRecord): StoreError {
  const message = `Node ${name} does not say what we have written: somebody else writes its annotations`
  return new StoreError({ op: 'our Node', code: 'ABORTED', retryable: true, message })
}
