import { runTool, type RunTool } from '../../src/firewall/command.ts'
import { LinuxFirewall } from '../../src/firewall/linux-firewall.ts'
import type { Family } from '../../src/net/ip.ts'
import { prefix } from '../../src/net/prefix.ts'
import { FirewallError, type FirewallSpec } from '../../src/kernel/firewall.ts'
import { Namespace } from '../lab/namespace.ts'

/** Addresses of one family: our pod and bridge, a pod elsewhere, and hosts that have nothing to do with the overlay. */
interface Addresses {
  readonly pod: string
  readonly bridge: string
  readonly device: string
  readonly remotePod: string
  readonly host: string
  readonly world: string
  /** World again: what goes there is marked as by kube-proxy. */
  readonly marked: string
  readonly multicast: string
  /** An address of the overlay from which the host sends multicast to the world. */
  readonly sender: string
}

export const ADDRESSES: Readonly<Record<Family, Addresses>> = {
  4: {
    ...{ pod: '10.20.0.2', bridge: '10.20.0.1', device: '10.20.0.0', remotePod: '10.30.0.2' },
    ...{ host: '192.0.2.1', world: '192.0.2.2', marked: '192.0.2.3', multicast: '239.1.2.3' },
    sender: '10.20.0.9',
  },
  6: {
    ...{ pod: 'fd00:10:1::2', bridge: 'fd00:10:1::1', device: 'fd00:10:1::', remotePod: 'fd00:10:2::2' },
    ...{ host: '2001:db8::1', world: '2001:db8::2', marked: '2001:db8::3', multicast: 'ff0e::1234' },
    sender: 'fd00:10:1::9',
  },
}

export const SPEC: FirewallSpec = {
  kind: 'nftables',
  families: [
    { network: prefix('10.0.0.0/8'), subnet: prefix('10.20.0.0/20') },
    { network: prefix('fd00:10::/32'), subnet: prefix('fd00:10:1::/64') },
  ],
  masquerade: true,
  randomFully: true,
  forward: true,
}

const PROTOCOL = { 4: 'ip', 6: 'ip6' } as const
const ECHO = { 4: 'icmp type echo-request', 6: 'icmpv6 type echo-request' } as const

/** Remembers from where echo requests come, before anything is done to them. */
const WITNESS = ([4, 6] as const)
  .map(
    (family) => `table ${PROTOCOL[family]} witness {
  set seen { type ipv${family}_addr; flags dynamic; size 100; }
  chain incoming { type filter hook prerouting priority -300; ${ECHO[family]} add @seen { ${PROTOCOL[family]} saddr }; }
}`,
  )
  .join('\n')

/** Marks what goes to one address, as kube-proxy does; a table of somebody else's that must stay. */
const MARKER = ([4, 6] as const)
  .map(
    (family) => `table ${PROTOCOL[family]} foreign {
  chain marking { type filter hook forward priority -10; ${PROTOCOL[family]} daddr ${ADDRESSES[family].marked} meta mark set 0x4000; }
}`,
  )
  .join('\n')

const UP = 'ip link set lo up'
const QUIET = 'for f in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 > $f; done'

/** What a program prints, or how it fails; undefined: the real one is run. */
type Answer = (tool: string, args: readonly string[], input: string) => string | FirewallError | undefined

/** There is no nft on this host. */
export const withoutNft: Answer = (tool) =>
  tool === 'nft' ? new FirewallError(tool, 'MISSING', 'nft is not installed') : undefined

/** A host with a pod, another node's pod and the world, each behind a link of its own. */
export class FirewallWorld {
  readonly host: Namespace
  readonly pod: Namespace
  readonly remote: Namespace
  readonly world: Namespace

  private constructor(host: Namespace, pod: Namespace, remote: Namespace, world: Namespace) {
    this.host = host
    this.pod = pod
    this.remote = remote
    this.world = world
  }

  static async create(): Promise<FirewallWorld> {
    const forwarding = 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
    const host = await Namespace.create(`${UP}\n${QUIET}\n${forwarding}`)
    const others = ['pod', 'ov', 'world'].map(() => Namespace.create(`${UP}\n${QUIET}`))
    const [pod, remote, world] = await Promise.all(others)
    if (pod === undefined || remote === undefined || world === undefined) throw new Error('no namespaces')
    const made = new FirewallWorld(host, pod, remote, world)
    await made.#wire()
    return made
  }

  async #wire(): Promise<void> {
    const [four, six] = [ADDRESSES[4], ADDRESSES[6]]
    const links = [this.pod, this.remote, this.world].map(({ pid }) => pid)
    const link = (name: string, at: number): readonly string[] => [
      `link add ${name} type veth peer name eth0 netns ${links[at]}`,
      `link set ${name} up`,
    ]
    await this.host.ipBatch([
      ...[...link('pod', 0), ...link('ov', 1), ...link('world', 2)],
      ...[`address add ${four.bridge}/20 dev pod`, `address add ${six.bridge}/64 dev pod nodad`],
      ...[`address add ${four.device}/32 dev ov`, `address add ${six.device}/128 dev ov nodad`],
      ...[`address add ${four.host}/24 dev world`, `address add ${six.host}/64 dev world nodad`],
      ...[`address add ${four.sender}/32 dev world`, `address add ${six.sender}/128 dev world nodad`],
      ...['route add 10.0.0.0/8 dev ov', 'route add fd00:10::/32 dev ov'],
      ...['route add 224.0.0.0/4 dev world', 'route add multicast ff0e::/16 dev world table local metric 1'],
    ])
    await this.#end(this.pod, [`${four.pod}/20`, `${six.pod}/64`], [four.bridge, six.bridge])
    await this.#end(this.remote, [`${four.remotePod}/32`, `${six.remotePod}/128`], [four.device, six.device])
    const worlds = [`${four.world}/24`, `${four.marked}/24`, `${six.world}/64`, `${six.marked}/64`]
    await this.#end(this.world, worlds, [four.host, six.host])
    await this.host.exec('nft', ['-f', '-'], { input: MARKER })
  }

  async #end(place: Namespace, addresses: readonly string[], [four, six]: readonly [string, string]): Promise<void> {
    await place.ipBatch([
      'link set eth0 up',
      ...addresses.map((address) => `address add ${address} dev eth0${address.includes(':') ? ' nodad' : ''}`),
      `route add default via ${four} dev eth0 onlink`,
      `route add default via ${six} dev eth0 onlink`,
    ])
    await place.exec('nft', ['-f', '-'], { input: WITNESS })
  }

  /**
   * The firewall of this host; `variant` names the iptables to use, as Debian calls them. `otherwise` answers in the place of a program, where
   * it does not return undefined.
   */
  firewall(variant: 'nft' | 'legacy' = 'nft', otherwise?: Answer): LinuxFirewall & { readonly ran: string[] } {
    const ran: string[] = []
    const run: RunTool = (tool, args, input, signal) => {
      ran.push(tool)
      const answer = otherwise?.(tool, args, input)
      if (answer instanceof FirewallError) return Promise.reject(answer)
      if (answer !== undefined) return Promise.resolve(answer)
      const name = tool.replace(/tables-(?!nft-|legacy-)/, `tables-${variant}-`)
      const [command, ...words] = this.host.line(name, args)
      return runTool(command, words, input, signal)
    }
    return Object.assign(new LinuxFirewall(run), { ran })
  }

  /** Pings once. @returns the source that `at` sees, or undefined when nothing arrives */
  async seenFrom(from: Namespace, source: string | undefined, to: string, at: Namespace): Promise<string | undefined> {
    const family = to.includes(':') ? 6 : 4
    const set = [PROTOCOL[family], 'witness', 'seen']
    await at.exec('nft', ['flush', 'set', ...set])
    const bind = source === undefined ? [] : ['-I', source]
    // several: where others flood the kernel, it drops what comes to any namespace (`netdev_max_backlog`)
    await from.attempt('ping', ['-n', '-c3', '-i0.05', '-W0.3', ...bind, to])
    const elements = /elements = \{ ([^ ,]+)/.exec(await at.exec('nft', ['list', 'set', ...set]))
    return elements?.[1]
  }

  async close(): Promise<void> {
    await Promise.all([this.pod, this.remote, this.world, this.host].map((place) => place.close()))
  }
}
