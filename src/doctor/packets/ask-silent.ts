import type { LinkState } from '../../kernel/kernel.ts'
import { parseIp } from '../../net/ip.ts'
import { readArpTable, type ArpTable } from '../kernel/arp-table.ts'
import { filtersOf } from '../kernel/traffic-control.ts'
import type { Echo, HostReads, Knock, OverlayHere, Suspect, View } from '../view.ts'

/** UDP ports of VXLAN: of Linux, of IANA (RFC 7348), of Windows' flannel. */
const USUAL_PORTS = [8472, 4789, 4790]

export interface Asked {
  readonly echo: Echo
  /** At our port; undefined: there is none, as with host-gw. */
  readonly knock: Knock | undefined
  /** Of the usual ports of VXLAN, those that are open there, where ours is closed. */
  readonly openPorts: readonly number[]
}

export async function askPeer(
  probes: View['probes'],
  { device, underlay }: OverlayHere,
  peer: Suspect,
): Promise<Asked> {
  const to = parseIp(peer.publicIp)
  const port = peer.isDirect ? undefined : device?.port
  if (to === undefined) return { echo: { is: 'silence' }, knock: undefined, openPorts: [] }
  const [echo, knock] = await Promise.all([
    probes.echo(to, { source: underlay.address }).catch((error: unknown) => agentsWord(peer, error)),
    port === undefined ? undefined : probes.knock(to, port),
  ])
  if (knock?.is !== 'closed') return { echo, knock, openPorts: [] }
  const others = USUAL_PORTS.filter((other) => other !== port)
  const knocks = await Promise.all(others.map((other) => probes.knock(to, other)))
  return { echo, knock, openPorts: others.filter((_, at) => knocks[at]?.is === 'silence') }
}

/** We may not ask, and the agent, which may, has. @throws what keeps us from asking, where it has not */
function agentsWord({ underlay }: Suspect, why: unknown): Echo {
  if (underlay === null) throw why
  return underlay.answers ? { is: 'answered', rttMs: underlay.rttMs ?? 0 } : { is: 'silence' }
}

export const NOBODY: ArpTable = new Map()

/** Asked now: for minutes, the kernel's own table says of a host that is gone what was so before. Undefined: it cannot be asked. */
export async function whoAnswers(
  probes: View['probes'],
  link: LinkState | undefined,
  { publicIp }: Suspect,
): Promise<ArpTable | undefined> {
  const address = parseIp(publicIp)
  if (link === undefined || address?.family !== 4) return undefined
  const holders = await probes.holders(link, address).catch(() => undefined)
  return holders && new Map([[publicIp, holders[0]]])
}

export async function arpTable(host: HostReads): Promise<ArpTable> {
  return readArpTable((await host.text('/proc/self/net/arp')) ?? '')
}

/** What may drop packets on this host, and does not say of itself which. */
export async function hiddenOf(host: HostReads, here: OverlayHere): Promise<readonly string[]> {
  const filters = await filtersOf(host, here)
  const shown = await host.show('ip', '-d', 'link', 'show', 'dev', here.underlay.interface)
  return [
    ...filters.map(({ device, kinds }) => `filters of tc at ${device} (${kinds.join(', ')})`),
    ...(/\bprog\/xdp\b/.test(shown?.stdout ?? '') ? [`a program of XDP at ${here.underlay.interface}`] : []),
  ]
}
