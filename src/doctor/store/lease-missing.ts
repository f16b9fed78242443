import type { Check, Finding } from '../finding.ts'
import { SILENCE } from '../silence.ts'
import type { StoreAccess } from '../store-facts.ts'
import type { View } from '../view.ts'
import { quoted } from '../../text/quoted.ts'
import { etcdctl } from './etcdctl.ts'

/** Whether the lease of the subnet that this host uses is in etcd, where that had to be asked: peers send nothing to one without. */
export const leaseMissing: Check<View> = {
  name: 'our lease in etcd',
  async look({ store, agent, overlay, suspects }) {
    const { access } = store
    const status = await agent()
    const isInTrouble =
      status === undefined || status.conditions.some(({ what }) => what === 'etcd' || what === 'lease')
    if (typeof access === 'string' || !isInTrouble || status?.lease === null) return []
    const subnets = (await overlay()).map(({ subnet }) => subnet.text)
    if (subnets.length === 0) return []
    // without an agent, what it has left may be of long ago: that counts where peers are silent
    if (status === undefined && (await suspects()).length === 0) return []
    return judgeKeys({ access, subnets, keys: (await store.ask()).keys, hasAgent: status !== undefined })
  },
}

interface KeyFacts {
  readonly access: StoreAccess
  /** That this host uses. */
  readonly subnets: readonly string[]
  /** Of all leases; undefined: they could not be read. */
  readonly keys: readonly string[] | undefined
  readonly hasAgent: boolean
}

/** Pure. */
function judgeKeys({ access, subnets, keys, hasAgent }: KeyFacts): readonly Finding[] {
  const held = new Set(keys?.flatMap((key) => key.split('&')))
  const missing = subnets.filter((subnet) => !held.has(subnet.replace('/', '-')))
  if (keys === undefined || missing.length === 0) return []
  const list = etcdctl(access, `get --prefix --keys-only ${quoted(`${access.prefix}/subnets/`)}`)
  return [
    {
      ...{ cause: 'lease-missing', severity: 'broken', covers: 'all peers' },
      summary: `etcd has no lease of this host's ${missing.join(', ')}: peers send nothing to it`,
      evidence: [`${list}: none of ${missing.join(', ')}`],
      cure: [
        hasAgent
          ? 'the agent writes it again by itself, as soon as etcd lets it; flanneld status says what keeps it from that'
          : 'start the agent, which takes its subnet again: systemctl enable --now flanneld',
      ],
      explains: ['lease', ...SILENCE],
    },
  ]
}
