import type { Finding } from '../finding.ts'
import { quoted } from '../../text/quoted.ts'
import type { OverlayHere, View } from '../view.ts'

/** A command, or an advice, for another host. */
export const onHost = (name: string, command: string): string => `on ${name}: ${command}`

/** What holds for every peer: packets of the overlay do not come through, whoever is asked. */
export const FOR_ALL = { severity: 'broken', covers: 'all peers' } as const satisfies Partial<Finding>

/** One finding for each family in which something is so; none twice. */
export const inEachFamily = (
  overlay: readonly OverlayHere[],
  find: (here: OverlayHere) => readonly Finding[],
): readonly Finding[] => overlay.flatMap(find)

/**
 * Where VirtualBox and QEMU put a machine that they hide behind NAT: each machine has the same address, and none reaches another by it
 * (VirtualBox manual 6.3, QEMU user networking). Vagrant's first interface is of that kind.
 */
export const HIDDEN = '10.0.2.15'

/** How what peers say of themselves is dealt with, where it stands: in leases of etcd, or on Nodes of Kubernetes. */
export interface StoreWords {
  /** Takes the claim of a peer away for good. @param name of the peer, where it is known */
  readonly giveUp: (key: string, name: string | null) => string
  /** When it is to be taken away, and by what that shows. */
  readonly whereGone: (name: string | null) => string
  /** What else a peer may publish our address for, which passes by itself. */
  readonly afterOther: (name: string) => readonly string[]
  /** That a peer has the MAC of this host. */
  readonly hasOurMac: (name: string) => string
  /** Has a node publish a MAC of its own. @param holder who has that one now */
  readonly otherMac: (name: string, holder: string) => readonly string[]
  /** Has its agent read everything anew. */
  readonly restart: string
  /** What to compare where two have read something else. */
  readonly source: string
}

/** A subnet, or the key of a lease: anything else is released with `--force` alone. */
const IS_SUBNET = /^[\da-f.:]+[-/]\d+(&[\da-f:]+-\d+)?$/i

const OF_ETCD: StoreWords = {
  giveUp: (key) => `flanneld release ${IS_SUBNET.test(key) ? '' : '--force '}${quoted(key)}`,
  whereGone: () => 'if no host has it any more',
  afterOther: () => [],
  hasOurMac: (name) => `${name} has the same machine id as this host, and so the same MAC address on the overlay`,
  otherMac: (name) => [
    onHost(
      name,
      'rm /etc/machine-id && systemd-machine-id-setup, then systemctl restart flanneld; or flanneld with --node-id',
    ),
  ],
  restart: 'systemctl restart flanneld',
  source: '--etcd-prefix and --etcd-endpoints',
}

const RESTART_POD = 'delete its pod of the DaemonSet (or systemctl restart flanneld)'

const OF_KUBERNETES: StoreWords = {
  giveUp: (key, name) =>
    name === null
      ? `kubectl delete node NAME; flanneld leases says which Node has ${key}`
      : `kubectl delete node ${quoted(name)}`,
  whereGone: (name) => `if there is no such host any more (kubectl get node ${name ?? 'NAME'} says NotReady)`,
  afterOther: (name) => [
    `where an agent of this host had NODE_NAME ${name} until now: nothing, the agent there puts it right within ten minutes; on ${name}: flanneld doctor`,
  ],
  hasOurMac: (name) =>
    `${name} publishes the VtepMAC of this host: it is a copy of it, or the Node under which this host joined before`,
  otherMac: (name, holder) => [
    `where both Nodes are one machine, under a former name and its own: kubectl delete node of the former (${name} or ${holder})`,
    onHost(`the younger of both (kubectl get nodes)`, `${RESTART_POD}: it takes another MAC when it starts`),
    `where that is upstream's agent: stop it, kubectl annotate node ${quoted(name)} flannel.alpha.coreos.com/backend-data-, ip link delete flannel.1 there, and start it`,
  ],
  restart: RESTART_POD,
  source: 'net-conf.json of the ConfigMap, as --net-config-path names it',
}

export const storeWords = ({ kube }: Pick<View, 'kube'>): StoreWords => (kube === undefined ? OF_ETCD : OF_KUBERNETES)
