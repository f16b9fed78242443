/** What promtool feeds into the rules, and when an alert is to fire and not to; in minutes. */
export interface AlertCase {
  readonly alert: string
  /** Series in promtool's notation, one value a minute: `0x10 1x20` is eleven times 0, then 21 times 1. */
  readonly series: Readonly<Record<string, string>>
  readonly fires: readonly number[]
  readonly isQuiet: readonly number[]
}

const A = 'job="flannel",instance="a:8081"'
const B = 'job="flannel",instance="b:8081"'

/** Fine for eleven minutes, not for half an hour, and then again. */
const BROKEN_FROM_11_TO_41 = (fine: number, broken: number): string => `${fine}x10 ${broken}x29 ${fine}x40`

const ONLY_ONE = (reach: string, values: string, other: string): Readonly<Record<string, string>> => ({
  [`flannel_peers{${A},reach="${reach}"}`]: values,
  [`flannel_peers{${A},reach="reachable"}`]: other,
})

const LAG = (bound: string): string => `flannel_event_loop_lag_seconds_bucket{${A},le="${bound}"}`

const HOUR = 3_600
const DAY = 24 * HOUR

export const ALERT_CASES: readonly AlertCase[] = [
  {
    alert: 'FlannelAgentDown',
    series: { [`up{${A}}`]: BROKEN_FROM_11_TO_41(1, 0), [`up{${B}}`]: '1x80', 'up{job="other",instance="c"}': '0x80' },
    fires: [15, 40],
    isQuiet: [10, 12, 42],
  },
  {
    alert: 'FlannelAgentsAbsent',
    series: { [`up{${A}}`]: '1x10 _x29 1x40' },
    fires: [25, 35],
    isQuiet: [10, 45],
  },
  {
    alert: 'FlannelAgentRestarts',
    series: {
      [`process_start_time_seconds{${A}}`]: '10x9 20 30 40 50x120',
      'process_start_time_seconds{job="x"}': '1+1x120',
    },
    fires: [14, 60],
    isQuiet: [11, 80],
  },
  {
    alert: 'FlannelNodeNotReady',
    series: {
      [`flannel_node_state{${A},state="unready"}`]: BROKEN_FROM_11_TO_41(0, 1),
      [`flannel_node_state{${B},state="degraded"}`]: '1x80',
    },
    fires: [15, 40],
    isQuiet: [10, 12, 42],
  },
  {
    alert: 'FlannelConditionFails',
    series: {
      [`flannel_condition{${A},condition="drops of others",effect="degraded"}`]: '_x10 1x29 _x40',
      [`flannel_condition{${B},condition="etcd",effect="degraded"}`]: '1x80',
      [`flannel_condition{${B},condition="answers of peers over IPv4",effect="degraded"}`]: '1x80',
      [`flannel_condition{${B},condition="expiry of certificates",effect="none"}`]: '1x80',
    },
    fires: [27, 40],
    isQuiet: [10, 24, 47],
  },
  {
    alert: 'FlannelPeersUnreachable',
    series: ONLY_ONE('unreachable', BROKEN_FROM_11_TO_41(0, 1), '5x80'),
    fires: [15, 40],
    isQuiet: [10, 12, 42],
  },
  {
    alert: 'FlannelNodeIsolated',
    series: ONLY_ONE('unreachable', BROKEN_FROM_11_TO_41(1, 4), BROKEN_FROM_11_TO_41(4, 1)),
    fires: [15, 40],
    isQuiet: [10, 12, 42],
  },
  {
    alert: 'FlannelPathMtuTooSmall',
    series: ONLY_ONE('mtu', BROKEN_FROM_11_TO_41(0, 1), '5x80'),
    fires: [17, 40],
    isQuiet: [10, 14, 42],
  },
  {
    alert: 'FlannelPeersLossy',
    series: ONLY_ONE('lossy', BROKEN_FROM_11_TO_41(0, 1), '5x80'),
    fires: [27, 40],
    isQuiet: [10, 25, 42],
  },
  {
    alert: 'FlannelEtcdDown',
    series: { [`flannel_etcd_up{${A}}`]: BROKEN_FROM_11_TO_41(1, 0) },
    fires: [17, 40],
    isQuiet: [10, 15, 42],
  },
  {
    alert: 'FlannelLeaseExpiresSoon',
    series: {
      [`flannel_lease_remaining_seconds{${A}}`]: BROKEN_FROM_11_TO_41(23 * HOUR, 3 * HOUR),
      [`flannel_lease_remaining_seconds{${B}}`]: `${5 * HOUR}x80`,
    },
    fires: [17, 40],
    isQuiet: [10, 15, 42],
  },
  {
    alert: 'FlannelCertificateExpires',
    series: {
      // the clock of these tests begins at 0
      [`flannel_certificate_expiry_timestamp_seconds{${A},certificate="ours"}`]: BROKEN_FROM_11_TO_41(
        90 * DAY,
        13 * DAY,
      ),
      [`flannel_certificate_expiry_timestamp_seconds{${A},certificate="another"}`]: `${15 * DAY}x80`,
    },
    fires: [17, 40],
    isQuiet: [10, 15, 42],
  },
  {
    alert: 'FlannelFreeSubnetsLow',
    series: {
      [`flannel_subnets{${A},family="4"}`]: '100x80',
      [`flannel_free_subnets{${A},family="4"}`]: BROKEN_FROM_11_TO_41(5, 4),
      [`flannel_subnets{${A},family="6"}`]: '1000x80',
      [`flannel_free_subnets{${A},family="6"}`]: '900x80',
    },
    fires: [22, 40],
    isQuiet: [10, 20, 42],
  },
  {
    alert: 'FlannelLeasesRejected',
    series: { [`flannel_rejected_leases{${A},reason="other_vni"}`]: BROKEN_FROM_11_TO_41(0, 2) },
    fires: [27, 40],
    isQuiet: [10, 25, 42],
  },
  {
    alert: 'FlannelRowsPending',
    series: {
      [`flannel_pending_rows{${A},family="4",table="route"}`]: BROKEN_FROM_11_TO_41(0, 2),
      [`flannel_pending_rows{${B},family="4",table="route"}`]: '0x2 7x3 0x80',
    },
    fires: [22, 40],
    isQuiet: [9, 20, 42],
  },
  {
    alert: 'FlannelRowsUndone',
    series: { [`flannel_restored_rows_total{${A},family="4",table="fdb"}`]: '3x40 3+3x20 63x60' },
    fires: [55, 65],
    isQuiet: [40, 45, 115],
  },
  {
    alert: 'FlannelFirewallUndone',
    series: { [`flannel_firewall_repairs_total{${A}}`]: '1x40 1+1x10 11x60' },
    fires: [46, 60],
    isQuiet: [40, 42, 100],
  },
  {
    alert: 'FlannelEventLoopLag',
    series: {
      [LAG('0.1')]: '0+12x30 360x60',
      [LAG('0.5')]: '0+12x30 360x60',
      [LAG('1')]: '0+12x90',
      [LAG('+Inf')]: '0+12x90',
    },
    fires: [60, 80],
    isQuiet: [25, 35],
  },
]
