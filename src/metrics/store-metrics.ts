import type { Definition } from './definition.ts'
import { asNumber } from './definition.ts'
import type { Readings } from './readings.ts'

const secondsOf = (iso: string | null): number | undefined => (iso === null ? undefined : Date.parse(iso) / 1_000)

/** Of the lease, of etcd, of the subnets in it, and of the certificates that it is met with. */
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
  {
    name: 'flannel_etcd_up',
    type: 'gauge',
    help: 'Whether the last thing that was asked of etcd was answered',
    labels: [],
    read: ({ status }) => [{ value: Number(status.store.isUp) }],
  },
  {
    name: 'flannel_etcd_endpoint_up',
    type: 'gauge',
    help: 'Whether the last request to this endpoint was answered; absent while none was sent there',
    labels: ['endpoint'],
    read: ({ status }) =>
      status.store.endpoints.map(({ url, isUp }) => ({ labels: { endpoint: url }, value: asNumber(isUp) })),
  },
  {
    name: 'flannel_etcd_endpoint_latency_seconds',
    type: 'gauge',
    help: 'How long the last answer of this endpoint took',
    labels: ['endpoint'],
    read: ({ status }) =>
      status.store.endpoints.map(({ url, latencyMs }) => ({
        labels: { endpoint: url },
        value: latencyMs === null ? undefined : latencyMs / 1_000,
      })),
  },
  {
    name: 'flannel_etcd_reconnects_total',
    type: 'counter',
    help: 'Times that the watch of the leases stood again after it had been lost',
    labels: [],
    read: ({ counts }) => [{ value: counts.store.reconnects }],
  },
  {
    name: 'flannel_etcd_request_duration_seconds',
    type: 'histogram',
    help: 'How long requests to etcd took that were answered',
    labels: [],
    read: ({ counts }) => [{ histogram: counts.store.requests.read() }],
  },
  {
    name: 'flannel_etcd_request_failures_total',
    type: 'counter',
    help: 'Attempts at requests to etcd that failed, by the code of the error',
    labels: ['code'],
    *read({ counts }) {
      for (const [code, value] of counts.store.failures) yield { labels: { code }, value }
    },
  },
  {
    name: 'flannel_certificate_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When a certificate for etcd ends, as Unix time: those in files of this host, and that of etcd itself',
    labels: ['certificate'],
    read: ({ status }) =>
      status.store.certificates.map(({ file, expiresAt }) => ({
        labels: { certificate: file },
        value: secondsOf(expiresAt),
      })),
  },
]
