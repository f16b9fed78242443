import { parseIp } from '../../net/ip.ts'
import type { Check, Finding } from '../finding.ts'
import type { HostReads, OverlayHere, Probes, Suspect, View } from '../view.ts'
import { SILENCE } from '../silence.ts'

/** Filters that tc has at the interfaces of tunnels. */
export interface Filters {
  readonly device: string
  /** `ingress bpf`, as `tc filter show dev DEVICE` has them. */
  readonly kinds: readonly string[]
}

/** So many peers are asked for it: a filter that drops tunnels does it to any. */
const MOST_ASKED = 2
/** Packets of the first question, and of the second: what others lose meanwhile is the same in both. */
const ASKED = [1, 5] as const
/** Lost more in the second, at least. */
const SURPLUS = ASKED[1] - ASKED[0]

/**
 * Whether filters of tc drop tunnels. What a program of BPF looks for cannot be read; that it drops can: the kernel counts, and those that
 * are sent to see it are told from others by their number.
 */
export const trafficControl: Check<View> = {
  name: 'filters of tc',
  async look({ overlay, suspects, host, probes }) {
    const silent = (await suspects()).filter(({ reach }) => reach === 'unreachable')
    const found: Finding[] = []
    if (silent.length === 0) return found
    for (const here of await overlay()) {
      const asked = silent.filter(({ family, address }) => family === here.family && address !== null)
      for (const filters of await filtersOf(host, here))
        for (const peer of asked.slice(0, MOST_ASKED))
          found.push(...judgeDrops({ filters, peer, rises: await ask({ host, probes, here, filters, peer }) }))
    }
    return found
  },
}

/** Where there are any, on the underlay and on our device. */
export async function filtersOf(host: HostReads, { underlay, device }: OverlayHere): Promise<readonly Filters[]> {
  const looks = [underlay.interface, ...(device === undefined ? [] : [device.name])].map(async (name) => {
    const kinds = await Promise.all(
      ['ingress', 'egress'].map(async (hook) => {
        const shown = await host.show('tc', '-j', 'filter', 'show', 'dev', name, hook)
        return rowsOf(shown?.stdout).map(({ kind }) => `${hook} ${kind}`)
      }),
    )
    return { device: name, kinds: [...new Set(kinds.flat())] }
  })
  return (await Promise.all(looks)).filter(({ kinds }) => kinds.length > 0)
}

/** What the queueing discipline that carries filters has dropped; undefined: there is none. */
async function dropsAt(host: HostReads, device: string): Promise<number | undefined> {
  const shown = await host.showNow('tc', '-j', '-s', 'qdisc', 'show', 'dev', device)
  return rowsOf(shown?.stdout).find(({ kind }) => kind === 'clsact' || kind === 'ingress')?.drops
}

interface Row {
  readonly kind: string
  readonly drops: number | undefined
}

/** What `tc -j` prints, as far as it is of use here; empty for what it does not say in JSON. */
function rowsOf(text = ''): readonly Row[] {
  const rows = parsed(text)
  return (Array.isArray(rows) ? (rows as readonly unknown[]) : []).flatMap((row) => {
    if (typeof row !== 'object' || row === null || !('kind' in row) || typeof row.kind !== 'string') return []
    return [{ kind: row.kind, drops: 'drops' in row && typeof row.drops === 'number' ? row.drops : undefined }]
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

interface Question {
  readonly host: HostReads
  readonly probes: Probes
  readonly here: OverlayHere
  readonly filters: Filters
  readonly peer: Suspect
}

/** By how much the count of dropped packets rises while so many are sent. Empty: it cannot be told. */
async function ask({ host, probes, here, filters, peer }: Question): Promise<readonly number[]> {
  const [to, source] = [parseIp(peer.address ?? ''), here.device?.address]
  let before = await dropsAt(host, filters.device)
  const rises: number[] = []
  if (to === undefined || source === undefined) return rises
  for (const packets of ASKED) {
    await Promise.all(Array.from({ length: packets }, () => probes.echo(to, { source })))
    const after = await dropsAt(host, filters.device)
    if (before === undefined || after === undefined) return []
    rises.push(after - before)
    before = after
  }
  return rises
}

interface Drops {
  readonly filters: Filters
  readonly peer: Suspect
  /** See {@link ASKED}. */
  readonly rises: readonly number[]
}

/** Pure. */
export function judgeDrops({
  filters: { device, kinds },
  peer,
  rises: [few = 0, many = 0],
}: Drops): readonly Finding[] {
  if (few < ASKED[0] || many < ASKED[1] || many - few < SURPLUS) return []
  const shows = kinds.map((kind) => `tc filter show dev ${device} ${kind.replace(' ', ': ')}`)
  return [
    {
      ...{ cause: 'tc-drops-here', severity: 'broken', peer: peer.name, covers: 'peer', explains: SILENCE },
      summary: `a filter of tc at ${device} on this host (${kinds.join(', ')}) drops what is sent to ${peer.name}, or what it answers`,
      evidence: [
        ...shows,
        `tc -s qdisc show dev ${device}: dropped rose by ${few} while ${ASKED[0]} packet was sent through the overlay, by ${many} while ${ASKED[1]} were`,
      ],
      cure: [
        `find out whose it is (bpftool net show dev ${device}), and have it let the overlay pass`,
        `or take it away: tc filter del dev ${device} ${kinds[0]?.split(' ')[0] ?? ''}`,
      ],
    },
  ]
}
