import { FORWARDING, type OutageCondition } from '../../agent/managers/store-outages.ts'
import type { ConditionReports } from '../../agent/runtime/conditions.ts'
import type { StoreError } from '../../lease/store.ts'

/** Names of Node's TLS (OpenSSL's) for a certificate that is not taken. */
const OF_CERTIFICATE = /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT)/

/** What is the matter: an API server that answers with no is not out of reach. */
function matterOf({ code, root = '' }: StoreError): string {
  if (code === 'UNAUTHENTICATED') return 'was reached, and does not know who we are'
  if (code === 'PERMISSION_DENIED') return 'was reached, and does not let us'
  if (OF_CERTIFICATE.test(root)) return 'was reached, and its certificate is not trusted'
  return /^\d{3}$/.test(root) ? 'was reached, and answers that it cannot' : 'is out of reach'
}

/** An outage of the API server, as a condition of this node. */
export const apiOutage = (conditions: ConditionReports): OutageCondition => ({
  away: (error, isForwarding, options) => {
    const reason = `${matterOf(error)}: ${error.message}`
    conditions.fails('Kubernetes API', reason, 'degraded', {
      ...options,
      says: `the Kubernetes API ${reason}${isForwarding ? FORWARDING : ''}`,
      saysHolds: 'the Kubernetes API answers again',
    })
  },
  back: () => {
    conditions.holds('Kubernetes API')
  },
})
