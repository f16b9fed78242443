import type { AddressState, LinkState } from '../../kernel/kernel.ts'
import type { Mac } from '../../net/mac.ts'
import { prefixContains, prefixOf } from '../../net/prefix.ts'
import type { PeersSummary, StatusDocument } from '../../status/document.ts'
import type { Check, Finding } from '../finding.ts'
import type { OverlayHere, View } from '../view.ts'
import { SILENCE } from '../silence.ts'
import { HIDDEN } from './words.ts'

/** Whether the address that peers send to can be reached by them. */
export const published: Check<View> = {
  name: 'the published address',
  async look({ agent, reaches, overlay, host, probes, kube }, signal) {
    const status = await agent()
    const counts = await reaches()
    const addresses = await host.kernel.addresses(signal)
    const links = await host.kernel.links(signal)
    const looks = (await overlay()).map(async (here) => {
      const facts = { here, status, counts, addresses, links, isKube: kube !== undefined }
      const found = judgePublished(facts)
      if (found.every(({ cause }) => cause !== 'public-ip-behind-nat') || !ownOnItsLink(facts)) return found
      const link = links.find(({ index }) => index === here.underlay.index)
      const holders = link && (await probes.holders(link, here.underlay.publicIp).catch(() => undefined))
      return holders === undefined ? found : judgePublished({ ...facts, holders })
    })
    return (await Promise.all(looks)).flat()
  },
}

/** An address of ours on the underlay in whose network it lies: no router is needed to get there, and a neighbour may have it. */
const ownOnItsLink = ({ here: { underlay }, addresses }: PublishedFacts): AddressState | undefined =>
  addresses.find(
    ({ ip, linkIndex, prefixLength }) =>
      linkIndex === underlay.index &&
      ip.family === 4 &&
      underlay.publicIp.family === 4 &&
      prefixContains(prefixOf(ip, prefixLength), underlay.publicIp),
  )

interface PublishedFacts {
  readonly here: OverlayHere
  readonly status: StatusDocument | undefined
  /** Of now; absent: those of the status. */
  readonly counts?: PeersSummary['byReach'] | undefined
  readonly addresses: readonly AddressState[]
  readonly links: readonly LinkState[]
  /** Whether Nodes of Kubernetes say what peers read. */
  readonly isKube?: boolean
  /** Who on our link answers for the published address. Absent: it is not there, or nobody was asked. */
  readonly holders?: readonly Mac[]
}

/** Pure. As long as any peer answers, the address works. */
export function judgePublished(facts: PublishedFacts): readonly Finding[] {
  const { here, status, counts = status?.peers.byReach, addresses, links, isKube = false, holders } = facts
  const { family, underlay, device } = here
  const { publicIp } = underlay
  const total = status?.peers.total ?? 0
  const reached = counts === undefined ? 0 : counts.reachable + counts.lossy
  const isCutOff = total > 0 && reached === 0 && (counts?.unreachable ?? 0) > 0
  const port = device?.port ?? 8472
  const silence = [`flanneld peers: of ${total} peers, none answers`]
  if (publicIp.text === HIDDEN && (isCutOff || total === 0))
    return [
      {
        ...{
          cause: 'public-ip-hidden',
          severity: isCutOff ? 'broken' : 'risk',
          covers: 'all peers',
          explains: ['way to etcd', 'way to the Kubernetes API', ...SILENCE],
        },
        summary: `the published address ${HIDDEN} is the one that VirtualBox or QEMU gives to every machine behind its NAT: no other machine reaches it`,
        evidence: [`ip address show ${underlay.interface}: ${HIDDEN}`, ...(isCutOff ? silence : [])],
        cure: [chooseAnother(here, addresses, links)],
      },
    ]
  if (!isCutOff || addresses.some(({ ip }) => ip.text === publicIp.text)) return []
  const flag = family === 4 ? '--public-ip' : '--public-ipv6'
  const own = ownOnItsLink(facts)
  const leaveOut = `if peers reach this host by ${underlay.address.text}, leave ${isKube ? 'that' : flag} out`
  const by = isKube ? `${flag}, or annotation ${flag.slice(2)}-overwrite of our Node,` : flag
  const moved = holders === undefined ? [] : [whoHas(holders, here)]
  return [
    {
      ...{
        cause: 'public-ip-behind-nat',
        severity: 'broken',
        isInferred: true,
        covers: 'all peers',
        explains: [...SILENCE],
      },
      summary: `peers send to ${publicIp.text}, which is no address of this host: nothing has reached it through there`,
      evidence: [`ip address: no interface has ${publicIp.text}`, `${by} publishes it`, ...moved, ...silence],
      cure: own
        ? [
            leaveOut,
            `or, if ${publicIp.text} is to be that of this host: ip address add ${publicIp.text}/${own.prefixLength} dev ${underlay.interface}, and delete it where it is now: arping -I ${underlay.interface} -c 2 ${publicIp.text} says who answers for it`,
          ]
        : [
            `on the router that has ${publicIp.text}: forward UDP port ${port} to ${underlay.address.text}, in both directions with the same port`,
            `or, ${leaveOut}`,
          ],
    },
  ]
}

const whoHas = ([holder]: readonly Mac[], { underlay }: OverlayHere): string =>
  `arping -I ${underlay.interface} ${underlay.publicIp.text}: ${holder === undefined ? 'nobody' : `${holder}, another machine,`} answers`

/** An interface that other machines may reach. */
function chooseAnother(
  { family, underlay }: OverlayHere,
  addresses: readonly AddressState[],
  links: readonly LinkState[],
): string {
  const named = addresses.flatMap(({ ip, linkIndex, scope }) => {
    const link = links.find(({ index }) => index === linkIndex)
    const isOther = link !== undefined && !link.loopback && link.kind !== 'bridge' && link.vxlan === undefined
    return isOther && ip.family === family && scope === 'global' && linkIndex !== underlay.index
      ? [`--iface=${link.name} (${ip.text})`]
      : []
  })
  return named.length === 0
    ? 'give the machine an interface on a network that the others are on too (Vagrant: config.vm.network "private_network"), and name it with --iface'
    : `start flanneld with ${named.join(' or ')}`
}
