import type { Check, Finding } from '../finding.ts'
import { parseIp } from '../../net/ip.ts'
import type { HostReads, OverlayHere, Suspect, View } from '../view.ts'
import { SILENCE } from '../silence.ts'

/** Whether packets come in with wrong checksums while peers are asked: the card or the kernel of one of them computes them so. */
export const checksums: Check<View> = {
  name: 'checksums of what comes in',
  async look({ agent, overlay, suspects, host, probes }) {
    const status = await agent()
    const said = status?.conditions.find(({ what }) => what === 'checksums')
    const silent = (await suspects()).filter(({ reach }) => reach === 'unreachable' || reach === 'lossy')
    const before = await host.checksumErrors()
    await askEach(silent.slice(0, MOST_ASKED), await overlay(), probes)
    const rise = ((await host.checksumErrors()) ?? 0) - (before ?? 0)
    if (said === undefined && rise <= 0) return []
    const [here] = await overlay()
    return [
      judgeChecksums({
        said: said?.reason,
        rise,
        silent: silent.map(({ name }) => name),
        here,
        facts: await factsOf(host, here),
      }),
    ]
  },
}

/** So many peers are asked for it. */
const MOST_ASKED = 4

/** What they answer may come in with wrong checksums; whether it comes in at all, others look. */
async function askEach(
  peers: readonly Suspect[],
  overlay: readonly OverlayHere[],
  probes: View['probes'],
): Promise<void> {
  const asked = peers.map(async ({ family, address }) => {
    const [to, source] = [parseIp(address ?? ''), overlay.find((here) => here.family === family)?.device?.address]
    if (to !== undefined && source !== undefined) await probes.echo(to, { source }).catch(() => undefined)
  })
  await Promise.all(asked)
}

/** What is known of our own side, which may be the one. */
interface OwnSide {
  readonly kernel: string
  /** Driver of the card, `ethtool -i`; undefined: it has none, or nobody says. */
  readonly driver: string | undefined
}

async function factsOf(host: HostReads, here: OverlayHere | undefined): Promise<OwnSide> {
  const kernel = (await host.text('/proc/sys/kernel/osrelease')) ?? '?'
  const card = here?.underlay.interface
  const uevent = card === undefined ? undefined : await host.text(`/sys/class/net/${card}/device/uevent`)
  return { kernel, driver: /^DRIVER=(.+)$/m.exec(uevent ?? '')?.[1] }
}

interface ChecksumFacts {
  /** What the agent says. */
  readonly said: string | undefined
  /** Packets that came in so while peers were asked. */
  readonly rise: number
  /** Peers that do not answer. */
  readonly silent: readonly string[]
  readonly here: OverlayHere | undefined
  readonly facts: OwnSide
}

/** Pure. */
export function judgeChecksums({ said, rise, silent, here, facts }: ChecksumFacts): Finding {
  const device = here?.device?.name ?? 'flannel.100'
  const whose =
    silent.length === 0
      ? 'a host that sends here'
      : silent.length === 1
        ? (silent[0] ?? '')
        : `one of ${silent.join(', ')}`
  const { driver, kernel } = facts
  return {
    ...{ cause: 'checksum-offload', severity: 'broken', explains: ['checksums', ...SILENCE] },
    ...(silent.length === 0 ? {} : { covers: 'all peers' }),
    summary: `packets come in with wrong checksums and are dropped: the card, or the kernel, of ${whose} computes those of VXLAN wrongly`,
    evidence: [
      ...(rise > 0 ? [`nstat -az UdpInCsumErrors TcpInCsumErrors: ${rise} more while peers were asked`] : []),
      ...(said === undefined ? [] : [`the agent: ${said}`]),
      `here uname -r says ${kernel}${driver === undefined ? '' : `, and ${here?.underlay.interface ?? 'the card'} has the driver ${driver}`}: compare with there`,
    ],
    cure: [
      `on ${whose}: ethtool -K ${device} tx-checksum-ip-generic off; if that does not help, ethtool -K of its card: tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off`,
      `on ${whose}: a kernel that is younger than 5.6.13 (5.4.41, 4.19.123, 4.14.181)`,
    ],
  }
}
