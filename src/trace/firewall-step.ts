import type { FirewallStatus } from '../status/document.ts'
import type { Step, TraceFacts } from './facts.ts'

const base = { name: 'firewall', cure: [] } as const

/** What rules of this host do to packets of the overlay, on their way between a container and the wire: those of others, and the agent's own. */
export function firewallStep({ firewall: { own, ofOthers } }: Pick<TraceFacts, 'firewall'>): Step {
  const harmful = ofOthers === undefined ? [] : [...ofOthers.drops, ...ofOthers.masquerades]
  if (harmful.length > 0)
    return {
      ...{ ...base, is: 'wrong', cure: [...new Set(harmful.map(({ cure }) => cure))] },
      found: [...new Set(harmful.map(({ place, does }) => `${place} ${does}`))].join('; '),
    }
  const ours = ownWords(own)
  if (own?.isWanted === true && own.holds === false)
    return { ...base, is: 'wrong', found: ours, cure: ['flanneld status says what keeps them from being written'] }
  if (ofOthers === undefined)
    return { ...base, is: 'unknown', found: `${ours}; rules of others could not be read, or are too many` }
  return { ...base, is: 'right', found: `${ours}; none of others is known to drop or rewrite packets of the overlay` }
}

function ownWords(own: FirewallStatus | undefined): string {
  if (own === undefined) return 'the rules of the agent are not known'
  if (!own.isWanted) return 'no rules of the agent are wanted'
  if (own.holds === null) return 'the agent has not looked at its rules yet'
  return `the rules of the agent (${own.kind ?? 'of unknown kind'}) ${own.holds ? 'stand' : 'do not stand'}`
}
