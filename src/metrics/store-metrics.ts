import type { Definition } from './definition.ts'
import { asNumber } from './definition.ts'
import type { StoreKind } from '../status/document.ts'
import type { Readings } from './readings.ts'

const secondsOf = (iso: string | null): number | undefined => (iso === null ? undefined : Date.parse(iso) / 1_000)

/** Of the lease, of whoever gives it, of the subnets there, and of the certificates that it is met with. */
export const STORE_METRICS: readonly Definition<Readings>[] = [
  {
    name: 'flannel_lease_held',
    type: 'gauge',
    help: 'Whether this node holds a lease',
    labels: [],
    read: ({ status }) => [{ value: Number(status.lease !== null) }],
  },
  {
    name: 'flannel_lease_remaining_seconds',
    type: 'gauge',
    help: 'Time until the lease ends if nobody renews it; absent for a reservation, which does not end',
    labels: [],
    read: ({ status }) => [{ value: status.lease?.secondsLeft }],
  },
  {
    name: 'flannel_lease_renewal_age_seconds',
    type: 'gauge',
    help: 'Time since the lease was granted or renewed last; absent for a reservation',
    labels: [],
    read: ({ status }) => {
      const renewed = secondsOf(status.store.renewedAt)
      return [{ value: renewed === undefined ? undefined : Math.max(0, Date.parse(status.at) / 1_000 - renewed) }]
    },
  },
  {
    name: 'flannel_subnets',
    type: 'gauge',
    help: 'Subnets that the network configuration lets nodes have',
    labels: ['family'],
    read: ({ subnets }) => subnets.map(({ family, all }) => ({ labels: { family: `${family}` }, value: all })),
  },
  {
    name: 'flannel_free_subnets',
    type: 'gauge',
    help: 'Subnets that no lease has, as far as this node knows',
    labels: ['family'],
    read: ({ subnets }) =>
      subnets.map(({ family, all, leased }) => ({ labels: { family: `${family}` }, value: Math.max(0, all - leased) })),
  },
  ...askedMetrics('etcd', 'flannel_etcd', 'etcd'),
  ...askedMetrics('kubernetes', 'flannel_apiserver', 'the API server of Kubernetes'),
  {
    name: 'flannel_certificate_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When a certificate for etcd or the API server ends, as Unix time: those in files of this host, and that of the server itself',
    labels: ['certificate'],
    read: ({ status }) =>
      status.store.certificates.map(({ file, expiresAt }) => ({
        labels: { certificate: file },
        value: secondsOf(expiresAt),
      })),
  },
]

/** What is known of the store that is asked: of the other there are no series. */
function askedMetrics(kind: StoreKind, prefix: string, whom: string): readonly Definition<Readings>[] {
  const ofIt = <T>(readings: Readings, series: () => readonly T[]): readonly T[] =>
    readings.status.store.kind === kind ? series() : []
  return [
    {
      name: `${prefix}_up`,
      type: 'gauge',
      help: `Whether the last thing that was asked of ${whom} was answered`,
      labels: [],
      read: (readings) => ofIt(readings, () => [{ value: Number(readings.status.store.isUp) }]),
    },
    {
      name: `${prefix}_endpoint_up`,
      type: 'gauge',
      help: 'Whether the last request to this endpoint was answered; absent while none was sent there',
      labels: ['endpoint'],
      read: (readings) =>
        ofIt(readings, () =>
          readings.status.store.endpoints.map(({ url, isUp }) => ({
            labels: { endpoint: url },
            value: asNumber(isUp),
          })),
        ),
    },
    {
      name: `${prefix}_endpoint_latency_seconds`,
      type: 'gauge',
      help: 'How long the last answer of this endpoint took',
      labels: ['endpoint'],
      read: (readings) =>
        ofIt(readings, () =>
          readings.status.store.endpoints.map(({ url, latencyMs }) => ({
            labels: { endpoint: url },
            value: latencyMs === null ? undefined : latencyMs / 1_000,
          })),
        ),
    },
    ...requestMetrics(kind, prefix, whom),
  ]
}

function requestMetrics(kind: StoreKind, prefix: string, whom: string): readonly Definition<Readings>[] {
  const isIt = ({ status }: Readings): boolean => status.store.kind === kind
  return [
    {
      name: `${prefix}_reconnects_total`,
      type: 'counter',
      help: 'Times that the watch of the other nodes stood again after it had been lost',
      labels: [],
      read: (readings) => (isIt(readings) ? [{ value: readings.counts.store.reconnects }] : []),
    },
    {
      name: `${prefix}_request_duration_seconds`,
      type: 'histogram',
      help: `How long requests to ${whom} took that were answered`,
      labels: [],
      read: (readings) => (isIt(readings) ? [{ histogram: readings.counts.store.requests.read() }] : []),
    },
    {
      name: `${prefix}_request_failures_total`,
      type: 'counter',
      help: `Attempts at requests to ${whom} that failed, by the code of the error`,
      labels: ['code'],
      read: (readings) =>
        isIt(readings)
          ? Array.from(readings.counts.store.failures, ([code, value]) => ({ labels: { code }, value }))
          : [],
    },
  ]
}
