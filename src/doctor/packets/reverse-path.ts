import type { LinkState } from '../../kernel/kernel.ts'
import { carriesNothing } from '../../kernel/underlay.ts'
import { parseIp } from '../../net/ip.ts'
import type { Check, Finding } from '../finding.ts'
import type { HostReads, OverlayHere, Suspect, View } from '../view.ts'
import { SILENCE } from '../silence.ts'

/** Drops whatever comes in by another interface than the one that the way back leaves by (ip-sysctl: rp_filter, RFC 3704). */
const STRICT = 1

/** Whether the kernel drops what peers send since it comes in by another interface than answers would leave by. */
export const reversePath: Check<View> = {
  name: 'strict reverse path filtering',
  async look({ overlay, suspects, host }, signal) {
    const silent = (await suspects()).filter(({ reach, family }) => reach !== 'reachable' && family === 4)
    const found: Finding[] = []
    for (const here of await overlay()) {
      const links = await host.kernel.links(signal)
      const link = links.find(({ index }) => index === here.underlay.index)
      if (here.family !== 4 || silent.length === 0 || link === undefined || carriesNothing(link)) continue
      const filter = await filterOf(host, link.name)
      if (filter?.value !== STRICT) continue
      for (const peer of silent) {
        const address = parseIp(peer.publicIp)
        const way = address && (await host.kernel.lookup(address, signal))
        const back = links.find(({ index }) => index === way?.linkIndex)
        found.push(...judgeWayBack({ here, peer, link, back, filter, drops: await dropsOf(host) }))
      }
    }
    return found
  },
}

interface Setting {
  readonly name: string
  readonly value: number
}

/** The higher one of `all` and the interface's own is in force. */
async function filterOf(host: HostReads, link: string): Promise<Setting | undefined> {
  const settings: Setting[] = []
  for (const name of ['all', link]) {
    const text = await host.text(`/proc/sys/net/ipv4/conf/${name}/rp_filter`)
    if (text !== undefined)
      settings.push({ name: `net.ipv4.conf.${name.replaceAll('.', '/')}.rp_filter`, value: Number(text) })
  }
  return settings.toSorted((a, b) => b.value - a.value)[0]
}

/** What the kernel has dropped so since it was started, in packets; undefined where it does not say. */
async function dropsOf(host: HostReads): Promise<number | undefined> {
  const lines = ((await host.text('/proc/self/net/netstat')) ?? '')
    .split('\n')
    .filter((line) => line.startsWith('IpExt:') || line.startsWith('TcpExt:'))
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const column = lines[at]?.split(' ').indexOf('IPReversePathFilter') ?? -1
    if (column > 0) return Number(lines[at + 1]?.split(' ')[column])
  }
  return undefined
}

interface WayBack {
  readonly here: OverlayHere
  readonly peer: Suspect
  /** Of the underlay. */
  readonly link: LinkState
  /** By which packets to the peer leave, where nobody says by which they should. */
  readonly back: LinkState | undefined
  readonly filter: Setting
  readonly drops: number | undefined
}

/** Pure. */
export function judgeWayBack({ here, peer, link, back, filter, drops }: WayBack): readonly Finding[] {
  if (back === undefined || back.index === here.underlay.index || back.loopback) return []
  const counted =
    drops === undefined || drops === 0 ? [] : [`nstat -az TcpExtIPReversePathFilter: ${drops} packets dropped so`]
  return [
    {
      ...{ cause: 'rp-filter-drops', severity: 'broken', peer: peer.name, covers: 'peer' },
      summary:
        `what ${peer.name} sends comes in by ${link.name}, but the way back to ${peer.publicIp} leaves by ${back.name}: ` +
        'strict reverse path filtering drops it',
      evidence: [
        `ip route get ${peer.publicIp}: dev ${back.name}`,
        `sysctl ${filter.name}: ${filter.value} (strict)`,
        ...counted,
      ],
      cure: [
        `sysctl -w ${filter.name}=2, and the same in /etc/sysctl.d`,
        `or have the way to ${peer.publicIp} lead over ${link.name}, or the agent use ${back.name} (--iface=${back.name})`,
      ],
      explains: [...SILENCE],
    },
  ]
}
