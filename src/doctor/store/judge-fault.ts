import type { FaultStatus } from '../../status/document.ts'
import type { Finding } from '../finding.ts'
import type { SeenCertificate, StoreAccess } from '../store-facts.ts'
import { causeOfFault, type StoreCause } from './causes-of-faults.ts'
import { REMEDIES } from './remedies.ts'

/** What a failure of the store is judged by. */
export interface FaultContext {
  readonly access: StoreAccess
  readonly certificates: readonly SeenCertificate[]
  /** Since 1970. */
  readonly nowMs: number
  /** Who has seen it: `the agent`, `etcd, asked just now with the flags of the agent`. */
  readonly seenBy: string
}

/** A failure to ask etcd as causes with their cures, one for each endpoint whose reason is its own. Pure. */
export function judgeFault(fault: FaultStatus, context: FaultContext): readonly Finding[] {
  const faults = fault.parts.length > 0 ? fault.parts : [fault]
  const found = new Map<string, Finding>()
  for (const one of faults) {
    const finding = judgeOne(one, context)
    if (finding !== undefined && !found.has(finding.summary)) found.set(finding.summary, finding)
  }
  return [...found.values()]
}

function judgeOne(fault: FaultStatus, context: FaultContext): Finding | undefined {
  const cause = causeOf(fault, context)
  if (cause === undefined) return undefined
  const { access, seenBy } = context
  const url = fault.url ?? access.endpoints[0] ?? 'http://127.0.0.1:2379'
  const { summary, cure } = REMEDIES[cause]
  return {
    cause,
    severity: 'broken',
    summary: summary({ access, url, fault }),
    evidence: [`${seenBy}: ${fault.says}`, ...dates(cause, context), `the flags for etcd are those of: ${access.from}`],
    cure: cure({ access, url, fault }),
  }
}

/** What a peer says of a certificate of ours is the same whatever is the matter with it: its dates tell. */
function causeOf(fault: FaultStatus, { access, certificates, nowMs }: FaultContext): StoreCause | undefined {
  const cause = causeOfFault(fault)
  if (access.isDefault && cause !== undefined && NOBODY_THERE.has(cause)) return 'etcd-not-named'
  const isOver = (flag: string): boolean => certificates.some(({ what, toMs }) => what.endsWith(flag) && toMs <= nowMs)
  const isToCome = certificates.some(({ what, fromMs }) => what.endsWith('--etcd-certfile') && fromMs > nowMs)
  if (cause === 'own-certificate-refused' && isOver('--etcd-certfile')) return 'own-certificate-expired'
  if (cause === 'own-certificate-refused' && isToCome) return 'etcd-certificate-not-yet-valid'
  if (cause === 'etcd-certificate-expired' && isOver('--etcd-cafile')) return 'ca-expired'
  return cause
}

/** At an address that nobody has named, these say nothing of an etcd. */
const NOBODY_THERE: ReadonlySet<StoreCause> = new Set(['etcd-refused', 'etcd-unreachable'])

const ABOUT_DATES: ReadonlySet<StoreCause> = new Set([
  'own-certificate-expired',
  'ca-expired',
  'etcd-certificate-expired',
  'etcd-certificate-not-yet-valid',
])

function dates(cause: StoreCause, { certificates, nowMs }: FaultContext): readonly string[] {
  if (!ABOUT_DATES.has(cause)) return []
  const lines = certificates.map(
    ({ what, fromMs, toMs }) =>
      `${what}: notBefore ${new Date(fromMs).toISOString()}, notAfter ${new Date(toMs).toISOString()}`,
  )
  return [...lines, `date on this host: ${new Date(nowMs).toISOString()}`]
}
