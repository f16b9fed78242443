import type { Finding } from '../finding.ts'
import type { ClockFact } from '../store-facts.ts'
import { placeOf } from './etcdctl.ts'

/** Clocks that NTP keeps are within a second; certificates, logs and leases read by people suffer from more than this, in milliseconds. */
export const CLOCKS_DIFFER_MS = 60_000

/** Whether the clock of this host is far from that of etcd's. Which of the two is wrong cannot be told from here. Pure. */
export function judgeClock({ url, theirsMs, oursMs }: ClockFact): readonly Finding[] {
  const aheadMs = oursMs - theirsMs
  if (Math.abs(aheadMs) < CLOCKS_DIFFER_MS) return []
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  return [
    {
      cause: 'clock-off',
      severity: 'risk',
      summary: `the clock of this host is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} that of etcd at ${url}: certificates end, or are not valid yet, by a wrong clock, and what is said of leases does not fit`,
      evidence: [
        `curl -sI ${url}/version, Date: ${new Date(theirsMs).toUTCString()}`,
        `date -u on this host: ${new Date(oursMs).toUTCString()}`,
      ],
      cure: [
        `timedatectl status, on this host and on ${placeOf(url).host}`,
        'on the one that is wrong: timedatectl set-ntp true, or systemctl restart chronyd',
      ],
      explains: ['clock'],
    },
  ]
}
