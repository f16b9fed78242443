import { parseIp, type Ip } from '../../net/ip.ts'
import { parsePrefix, prefixContains } from '../../net/prefix.ts'
import type { Check, Finding } from '../finding.ts'
import type { OverlayHere, Suspect, View } from '../view.ts'
import { SILENCE } from '../silence.ts'

/** Whether policies of IPsec drop tunnels as they leave this host, or as they come in. Asked where peers do not answer only. */
export const ipsec: Check<View> = {
  name: 'policies of IPsec',
  async look({ overlay, suspects, host }) {
    const silent = (await suspects()).filter(({ reach }) => reach !== 'reachable')
    if (silent.length === 0) return []
    const shown = await host.show('ip', 'xfrm', 'policy')
    const policies = shown?.code === 0 ? readPolicies(shown.stdout) : []
    if (policies.length === 0) return []
    const states = readStates((await host.show('ip', 'xfrm', 'state'))?.stdout ?? '')
    return (await overlay()).flatMap((here) =>
      silent
        .filter(({ family }) => family === here.family)
        .flatMap((peer) => judgePolicies({ here, peer, policies, states })),
    )
  },
}

/** A policy as `ip xfrm policy` shows it. */
export interface Policy {
  /** Its selector, as it is written there. */
  readonly selector: string
  readonly fields: ReadonlyMap<string, string>
  readonly direction: string
  readonly isBlock: boolean
  /** The lowest one that fits a packet decides on it. */
  readonly priority: number
  /** Where the tunnels that it wants go to; empty: it wants none. */
  readonly wanted: readonly { readonly mode: string; readonly source: string; readonly destination: string }[]
}

/** The words of a line that stand in pairs: `src 10.0.0.0/8 proto udp`. */
function pairsOf(line: string): ReadonlyMap<string, string> {
  const words = line.trim().split(/\s+/)
  return new Map(words.flatMap((word, at) => (at % 2 === 0 ? [[word, words[at + 1] ?? ''] as const] : [])))
}

/** Reads what `ip xfrm policy` prints (ip-xfrm(8)); it has no JSON. Those of single sockets are left out. Pure. */
export function readPolicies(output: string): readonly Policy[] {
  return output
    .split(/\n(?=\S)/)
    .filter((block) => block.startsWith('src '))
    .map((block): Policy => {
      const [selector = '', about = '', ...more] = block.split('\n')
      const words = pairsOf(about)
      return {
        ...{ selector: selector.trim(), fields: pairsOf(selector), direction: words.get('dir') ?? '' },
        ...{ isBlock: words.get('action') === 'block', priority: Number(words.get('priority') ?? 0) },
        wanted: templatesOf(more),
      }
    })
    .filter(({ direction }) => direction === 'in' || direction === 'out')
}

function templatesOf(lines: readonly string[]): Policy['wanted'] {
  return lines.flatMap((line, at) => {
    if (!line.trim().startsWith('tmpl ')) return []
    const ends = pairsOf(line.trim().slice('tmpl '.length))
    const isOptional = /level use/.test(lines[at + 1] ?? '')
    const mode = /mode (\w+)/.exec(lines[at + 1] ?? '')?.[1] ?? ''
    return isOptional ? [] : [{ mode, source: ends.get('src') ?? '', destination: ends.get('dst') ?? '' }]
  })
}

/** Keys that stand, by `source destination`, from `ip xfrm state`. Pure. */
export const readStates = (output: string): ReadonlySet<string> =>
  new Set(Array.from(output.matchAll(/^src (\S+) dst (\S+)/gm), ([, from = '', to = '']) => `${from} ${to}`))

interface IpsecFacts {
  readonly here: OverlayHere
  readonly peer: Suspect
  readonly policies: readonly Policy[]
  readonly states: ReadonlySet<string>
}

/** Pure. */
export function judgePolicies({ here, peer, policies, states }: IpsecFacts): readonly Finding[] {
  const [own, other, port] = [here.underlay.address, parseIp(peer.publicIp), here.device?.port]
  if (other === undefined || port === undefined) return []
  return (['out', 'in'] as const).flatMap((direction): readonly Finding[] => {
    const [source, destination] = direction === 'out' ? [own, other] : [other, own]
    const packet: Packet = { source, destination, port, device: here.underlay.interface }
    const [first] = policies
      .filter((policy) => policy.direction === direction && fits(policy, packet))
      .toSorted((a, b) => a.priority - b.priority)
    const what = first && deed(first, packet, states)
    if (first === undefined || what === undefined) return []
    const whose = direction === 'out' ? `this host sends ${peer.name}` : `${peer.name} sends`
    return [
      {
        ...{ cause: 'ipsec-drops-here', severity: 'broken', peer: peer.name, covers: 'peer', explains: SILENCE },
        summary: `a policy of IPsec on this host drops what ${whose} to UDP port ${port}: ${what.does}`,
        evidence: [`ip xfrm policy: ${first.selector}, dir ${direction}, ${what.shows}`],
        cure: what.cure(`ip xfrm policy delete dir ${direction} ${first.selector}`),
      },
    ]
  })
}

interface Packet {
  readonly source: Ip
  readonly destination: Ip
  readonly port: number
  readonly device: string
}

/** Fields of a selector that are known of tunnels; a policy with others is not known to fit. */
function fits({ fields }: Policy, { source, destination, port, device }: Packet): boolean {
  return [...fields].every(([name, value]) => {
    switch (name) {
      case 'src':
        return isIn(source, value)
      case 'dst':
        return isIn(destination, value)
      case 'proto':
        return value === 'udp'
      case 'dport':
        return value === `${port}`
      case 'dev':
        return value === device
      case 'uid':
      case 'ptype':
        return true
      default:
        return false
    }
  })
}

function isIn(address: Ip, text: string): boolean {
  const network = parsePrefix(text.includes('/') ? text : `${text}/${address.family === 4 ? 32 : 128}`)
  return network?.family === address.family && prefixContains(network, address)
}

interface Deed {
  readonly does: string
  readonly shows: string
  readonly cure: (remove: string) => readonly string[]
}

function deed(policy: Policy, packet: Packet, states: ReadonlySet<string>): Deed | undefined {
  if (policy.isBlock)
    return {
      does: 'it blocks them',
      shows: 'action block',
      cure: (remove) => [`${remove}; it comes back if a program or a file sets it`],
    }
  const open = policy.wanted.find(({ mode, source, destination }) => {
    const ends = mode === 'tunnel' ? [source, destination] : [packet.source.text, packet.destination.text]
    return !states.has(ends.join(' '))
  })
  if (open === undefined) return undefined
  return {
    does: 'it wants them encrypted, and there are no keys for that',
    shows: `mode ${open.mode}; ip xfrm state has none for it`,
    cure: (remove) => ['see to the program that negotiates keys: swanctl --list-sas, ipsec status', `or ${remove}`],
  }
}
