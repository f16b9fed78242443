import { quoted } from '../text/quoted.ts'
import type { Step, TraceFacts } from './facts.ts'

const ms = (value: number | null): string => (value === null ? '' : ` in ${Number(value.toPrecision(3))} ms`)

/** Whether packets come through, once all that they need is there. */
export function probeStep({ peer, asked }: TraceFacts): Step {
  const doctor = `flanneld doctor --peer ${quoted(peer.name)}`
  const base = { name: 'probe', is: 'wrong', cure: [doctor] } as const
  if (asked === undefined) return { ...base, is: 'unknown', found: 'not asked: that takes an agent', cure: [] }
  const { reach, rttMs, loss, passesOctets, underlay, publicIp } = asked
  if (reach === 'reachable') return { ...base, is: 'right', found: `it answers${ms(rttMs)}, in full size`, cure: [] }
  if (reach === 'unknown') return { ...base, is: 'unknown', found: 'not decided yet', cure: [] }
  if (reach === 'lossy') return { ...base, found: `it answers${ms(rttMs)}, but ${Math.round(loss * 100)} % are lost` }
  if (reach === 'mtu')
    return {
      ...base,
      found: `it answers${ms(rttMs)}, but packets of more than ${String(passesOctets ?? 'some')} octets are lost`,
    }
  if (underlay === null) return { ...base, found: 'it does not answer through the overlay' }
  const there =
    peer.carried === undefined ? 'the other end has no entries for us' : 'no flanneld runs there, which is to carry it'
  const below = underlay.answers
    ? `does${ms(underlay.rttMs)}: what carries the overlay is dropped here, there or between (doctor tells which), or ${there}`
    : `does not either${underlay.says === null ? '' : ` (${underlay.says})`}: the host is down or cut off, or never answers`
  return { ...base, found: `it does not answer through the overlay, and its public address ${publicIp} ${below}` }
}
