import type { LinkState } from '../../kernel/kernel.ts'
import { parseIp } from '../../net/ip.ts'
import { MOST_WATCHED, type HostReads, type OverlayHere, type Probes, type Sight, type Suspect } from '../view.ts'
import { risen } from './drop-counts.ts'

/** So often each is asked. */
const QUESTIONS = 3

interface SightsInput {
  readonly overlay: readonly OverlayHere[]
  readonly suspects: readonly Suspect[]
  readonly links: readonly LinkState[]
  readonly host: Pick<HostReads, 'dropCounts'>
  readonly probes: Probes
}

/**
 * Asks peers through the overlay, and looks meanwhile at what goes over the underlay. Nothing is said of peers who answer after all.
 * @throws {Error} where this process may not look
 */
export async function lookAtTunnels(input: SightsInput): Promise<ReadonlyMap<Suspect, Sight>> {
  const all = await Promise.all(input.overlay.map((here) => lookIn(here, input)))
  return new Map(all.flat())
}

type Seen = readonly [Suspect, Sight]

async function lookIn(here: OverlayHere, { suspects, links, host, probes }: SightsInput): Promise<readonly Seen[]> {
  const { device, family, underlay } = here
  const link = links.find(({ index }) => index === underlay.index)
  if (link === undefined || device?.vni === undefined) return []
  const asked = suspects
    .filter(
      ({ family: of, reach, isDirect }) => of === family && !isDirect && (reach === 'unreachable' || reach === 'lossy'),
    )
    .flatMap((peer) => {
      const address = parseIp(peer.address ?? '')
      return address === undefined ? [] : [{ peer, address }]
    })
    .slice(0, MOST_WATCHED)
  if (asked.length === 0) return []
  const answered = new Set<Suspect>()
  const before = await host.dropCounts()
  const seen = await probes.watch(link, family, () =>
    Promise.all(
      asked.flatMap(({ peer, address }) =>
        Array.from({ length: QUESTIONS }, async () => {
          const echo = await probes.echo(address, { source: device.address })
          if (echo.is === 'answered') answered.add(peer)
        }),
      ),
    ),
  )
  if (seen === undefined) return []
  const counted = risen(before, await host.dropCounts(), QUESTIONS)
  return asked
    .filter(({ peer }) => !answered.has(peer))
    .map(({ peer, address }): Seen => {
      const ofPeer = seen.filter(({ from }) => from.text === address.text)
      const leaving = seen.filter(({ to, from }) => to.text === address.text && from.text === device.address.text)
      return [
        peer,
        {
          ...{ asked: QUESTIONS, leaving: leaving.filter(({ isAnswer }) => !isAnswer), counted },
          answers: ofPeer.filter(({ isAnswer }) => isAnswer).length,
          questions: ofPeer.filter(({ isAnswer }) => !isAnswer).length,
        },
      ]
    })
}
