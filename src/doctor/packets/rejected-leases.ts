import type { RejectedStatus } from '../../status/document.ts'
import { quoted } from '../../text/quoted.ts'
import type { Check, Finding } from '../finding.ts'
import type { View } from '../view.ts'
import { onHost, storeWords, type StoreWords } from './words.ts'

/** Peers that are not reached because their leases are not honoured. */
export const rejectedLeases: Check<View> = {
  name: 'leases that are rejected',
  async look({ agent, kube }) {
    const status = await agent()
    const words = storeWords({ kube })
    const published = (status?.families ?? []).map(({ underlay }) => underlay.publicIp)
    // of Nodes that have what is ours, their ages decide: that is told with those
    const rows = (status?.rejected.rows ?? []).filter(
      ({ code, name }) => kube === undefined || code !== 'own_subnet' || name === null,
    )
    return rows.map((row) => judgeRejected(row, published, words))
  },
}

/** Pure. @param published the addresses that this host's own lease says */
export function judgeRejected(
  row: RejectedStatus,
  published: readonly string[],
  words: StoreWords = storeWords({}),
): Finding {
  const { key, publicIp, reason, code } = row
  const name = row.name ?? publicIp ?? key
  const common = { severity: 'broken', peer: name, evidence: [`lease ${key} is rejected: ${reason}`] } as const
  if (code === 'other_vni') {
    const [theirs = '?', ours = '?'] = reason.match(/\d+/g) ?? []
    return {
      ...{ ...common, cause: 'vni-differs' },
      summary: `${name} has VNI ${theirs}, this host ${ours}: neither takes the other's packets`,
      cure: [
        onHost(name, `${words.restart}, which then takes Backend.VNI from the network configuration, as this host has`),
        `where both have been restarted since it was changed, compare which configuration they read: ${words.source}`,
      ],
    }
  }
  if (code === 'own_public_ip') return { ...common, ...sameAddress(row, name, { published, words }) }
  if (code === 'own_mac')
    return {
      ...{ ...common, cause: 'duplicate-machine-id' },
      summary: words.hasOurMac(name),
      cure: words.otherMac(name, 'this host'),
    }
  const [, mac, holder] = /^VtepMAC (\S+) is held by \S+ of (.+), which claimed it before$/.exec(reason) ?? []
  if (mac !== undefined && holder !== undefined)
    return {
      ...{ ...common, cause: 'duplicate-vtep-mac' },
      summary: `${name} and ${holder} both publish VtepMAC ${mac}: ${holder}, which claimed it before, is reached, and ${name} is not`,
      cure: words.otherMac(name, holder),
    }
  return {
    ...{ ...common, cause: 'lease-rejected', severity: 'risk' },
    summary: `the lease ${key}${name === key ? '' : ` of ${name}`} is not honoured: ${reason}`,
    cure: [
      ...(name === key
        ? []
        : [onHost(name, `flanneld doctor; ${words.restart}, where the configuration has changed since it started`)]),
      `${words.whereGone(row.name)}: ${words.giveUp(key, row.name)}`,
      'docs/troubleshooting.md explains the reason in the words of the agent',
    ],
  }
}

/** A peer publishes what is an address of this host: one that this host publishes too, or one that it only has besides. */
function sameAddress(
  row: RejectedStatus,
  name: string,
  { published, words }: { readonly published: readonly string[]; readonly words: StoreWords },
): Pick<Finding, 'cause' | 'summary' | 'cure'> {
  const { key, publicIp, reason } = row
  const cause = 'duplicate-public-ip'
  const address = publicIp ?? 'an address'
  const elsewhere = onHost(name, '--iface= or --public-ip= that names an address of its own')
  const whereGone = `${words.whereGone(row.name)}: ${words.giveUp(key, row.name)}`
  if (publicIp === null || published.includes(publicIp))
    return {
      cause,
      summary: `${name} and this host both publish ${address}`,
      cure: [
        ...words.afterOther(name),
        `${elsewhere}; what Vagrant's first interface has (10.0.2.15), every machine has`,
        whereGone,
      ],
    }
  const [, device = 'DEVICE'] = /\bis our own, on ([^\s:]+)/.exec(reason) ?? []
  return {
    cause,
    summary: `${name} publishes ${address}, which this host has on ${device} besides its own ${published.join(', ')}: packets for ${name} end here`,
    cure: [
      `ip address delete ${address} dev ${quoted(device)}, if it belongs to ${name}`,
      `else ${elsewhere}`,
      whereGone,
    ],
  }
}
