import { carriesNothing } from '../../kernel/underlay.ts'
import type { LinkState } from '../../kernel/kernel.ts'
import type { Mac } from '../../net/mac.ts'
import { parseIp } from '../../net/ip.ts'
import type { Check, Finding } from '../finding.ts'
import type { Suspect, View } from '../view.ts'
import { SILENCE } from '../silence.ts'

/** So many peers are asked about: an answer is waited for. */
const MOST_ASKED = 4

/** Whether two machines answer for one address on the underlay, this host's or a peer's. Asked where peers do not answer only. */
export const addressConflict: Check<View> = {
  name: 'two machines with one address',
  async look({ overlay, suspects, about, host, probes }, signal) {
    const asked = await suspects()
    const silent = asked.filter(({ reach }) => about !== undefined || reach === 'unreachable' || reach === 'lossy')
    if (silent.length === 0) return []
    const links = await host.kernel.links(signal)
    const found: Promise<readonly Finding[]>[] = []
    for (const { underlay } of await overlay()) {
      const link = links.find(({ index }) => index === underlay.index)
      if (link === undefined || carriesNothing(link) || underlay.address.family !== 4) continue
      found.push(
        probes.holders(link, underlay.address).then((holders) => judgeOwn(link, underlay.address.text, holders ?? [])),
      )
      for (const peer of silent.slice(0, MOST_ASKED)) {
        const address = parseIp(peer.publicIp)
        if (address?.family === 4)
          found.push(probes.holders(link, address).then((holders) => judgePeer(link, peer, holders ?? [])))
      }
    }
    return (await Promise.all(found)).flat()
  },
}

/** Pure. @param holders who else answers for our own address */
export function judgeOwn(link: LinkState, address: string, holders: readonly Mac[]): readonly Finding[] {
  const [other] = holders.filter((mac) => mac !== link.mac)
  if (other === undefined) return []
  return [
    {
      ...{ cause: 'address-conflict-here', severity: 'broken', covers: 'all peers', explains: [...SILENCE] },
      summary: `another machine on ${link.name} has this host's address ${address}: what peers send may go there`,
      evidence: [
        `arping -D -I ${link.name} -c 2 ${address}: ${other} answers`,
        `ip link show ${link.name}: ours is ${link.mac ?? '?'}`,
      ],
      cure: [
        `find the machine with MAC ${other} (its ip link shows it, the switch on which port it is), and give one of the two another address`,
        'then have the neighbours forget: ip neigh flush dev ' + link.name + ', on each host',
      ],
    },
  ]
}

/** Pure. @param holders who answers for the peer's address */
export function judgePeer(link: LinkState, peer: Suspect, holders: readonly Mac[]): readonly Finding[] {
  const all = [...new Set(holders)]
  if (all.length < 2) return []
  return [
    {
      ...{ cause: 'address-conflict-there', severity: 'broken', peer: peer.name, explains: [...SILENCE] },
      summary: `${all.length} machines on ${link.name} have ${peer.publicIp}, the address of ${peer.name}: what is sent there may go to the wrong one`,
      evidence: [`arping -I ${link.name} -c 2 ${peer.publicIp}: ${all.join(' and ')} answer`],
      cure: [
        `of the MAC addresses ${all.join(', ')} find the one that is not ${peer.name}'s (ip link there), and give that machine another address`,
        `then: ip neigh del ${peer.publicIp} dev ${link.name}`,
      ],
    },
  ]
}
