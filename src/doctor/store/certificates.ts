import type { Finding } from '../finding.ts'
import type { CertificateFacts, SeenCertificate, StoreAccess } from '../store-facts.ts'
import { quoted } from '../../text/quoted.ts'

const DAY_MS = 86_400_000
/** As the agent has it (etcd/subnets/certificates-task.ts). */
const WARNED_BEFORE_MS = 14 * DAY_MS

const EXPLAINS = ['expiry of certificates']

/** Certificates that have ended, or soon will, and files that cannot be used. Pure. @param isConnected a connection made before stands */
export function judgeCertificates(
  access: StoreAccess,
  { problem, seen }: CertificateFacts,
  { nowMs, isConnected }: { readonly nowMs: number; readonly isConnected: boolean },
): readonly Finding[] {
  const ending = seen.filter(({ toMs }) => toMs - nowMs < WARNED_BEFORE_MS)
  return [
    ...(problem === undefined ? [] : [unusable(problem, isConnected)]),
    ...distinct(ending).map((one) => judgeEnd(one, access, { nowMs, isConnected })),
  ]
}

const distinct = (all: readonly SeenCertificate[]): readonly SeenCertificate[] => [
  ...new Map(all.map((one) => [`${one.what} ${one.toMs}`, one])).values(),
]

const unusable = (problem: string, isConnected: boolean): Finding => ({
  cause: 'certificate-files',
  severity: isConnected ? 'risk' : 'broken',
  summary: `the files of certificates and keys for etcd cannot be used: ${problem}${isConnected ? '; those from before are still in use, until the agent is started again' : ''}`,
  evidence: [problem],
  cure: [
    'bring the file that is named, with the key and the certificate that belong together; the agent reads them again within a minute (systemctl reload flanneld: at once)',
  ],
  explains: ['certificates of etcd'],
})

function judgeEnd(
  { what, fromMs, toMs }: SeenCertificate,
  access: StoreAccess,
  { nowMs, isConnected }: { readonly nowMs: number; readonly isConnected: boolean },
): Finding {
  const end = new Date(toMs).toISOString()
  const file = fileOf(what, access)
  const evidence = [
    file === undefined ? `${what} ends on ${end}` : `openssl x509 -in ${quoted(file)} -noout -enddate: ${end}`,
    `date on this host: ${new Date(nowMs).toISOString()}`,
  ]
  const cure =
    file === undefined
      ? [`renew ${what} on its host, then systemctl restart etcd there`]
      : [`renew ${quoted(file)} in its place; the agent reads it again by itself`]
  const common = { evidence, cure, explains: EXPLAINS }
  if (toMs > nowMs) {
    const days = Math.floor((toMs - nowMs) / DAY_MS)
    return {
      ...common,
      cause: 'certificate-expiring',
      severity: 'risk',
      summary: `${what} ends in ${days === 1 ? '1 day' : `${days} days`}, on ${end.slice(0, 10)}`,
    }
  }
  const still = isConnected ? '; the connection that stands goes on, the next one will be refused' : ''
  return {
    ...common,
    cause: causeOfEnd(what),
    severity: isConnected ? 'risk' : 'broken',
    summary: `${what} has ended on ${end.slice(0, 10)}, ${lasted(toMs - fromMs)} after its beginning${still}`,
  }
}

const lasted = (ms: number): string => `${Math.max(0, Math.round(ms / DAY_MS))} days`

const causeOfEnd = (what: string): string =>
  what.endsWith('--etcd-cafile')
    ? 'ca-expired'
    : what.endsWith('--etcd-certfile')
      ? 'own-certificate-expired'
      : 'etcd-certificate-expired'

const fileOf = (what: string, { caFile, certFile }: StoreAccess): string | undefined =>
  what.endsWith('--etcd-cafile') ? caFile : what.endsWith('--etcd-certfile') ? certFile : undefined
