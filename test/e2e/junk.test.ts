import { describe, expect, test } from 'vitest'
import { forwards, vxlanLease, waitFor } from '../lab/index.ts'
import { leaseOf } from '../lab/expected-tables.ts'
import { bringUp, useLab } from '../lab/use-lab.ts'

/** docs/performance.md has the figures of 100 000. */
const JUNK = Number(process.env['JUNK_LEASES'] ?? 20_000)
const HONEST = '10.99.0.0-20'

const hex = (octet: number): string => octet.toString(16).padStart(2, '0')

/** Leases that cannot be read, that break a rule, or that claim the MAC of another. */
const junk = (mac: string): readonly (readonly [name: string, value: string])[] =>
  Array.from({ length: JUNK }, (_, at) => {
    const subnet = `10.${60 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}-32`
    const other = `02:00:00:${hex(at >> 16)}:${hex((at >> 8) & 255)}:${hex(at & 255)}`
    const values = ['{"PublicIP":', vxlanLease('127.0.0.1', other), vxlanLease('192.168.205.77', mac)]
    return [at % 4 === 3 ? `junk\u202e${at}` : subnet, values[at % 4] ?? vxlanLease('192.168.205.78', other)]
  })

describe('a prefix that somebody fills with junk', () => {
  const lab = useLab({ hosts: 2 }, bringUp)

  const isReached = (): Promise<boolean> =>
    lab()
      .host(0)
      .peerTables('flannel.100')
      .then(({ routes }) => routes.some(({ gateway }) => gateway === '10.99.0.0'))

  test('keeps no honest peer waiting, while it stands there and at the next start', async () => {
    const host = lab().host(0)
    await lab().putLeases(junk((await leaseOf(lab(), lab().host(1))).mac))
    await lab().putLease(HONEST, vxlanLease('192.168.205.99', '02:00:00:99:00:01'))
    await waitFor('an honest peer that comes after it', isReached, { deadlineMs: 2_000 })
    await lab().deleteLease(HONEST)
    await waitFor('it to go', async () => !(await isReached()), { deadlineMs: 2_000 })
    const log = await host.agent.logOfRun()
    expect(log.split('\n').length).toBeLessThan(200)
    expect(log).not.toContain('\u202e')

    await host.agent.kill()
    host.agent.start()
    await forwards(host)
    await lab().putLease(HONEST, vxlanLease('192.168.205.99', '02:00:00:99:00:01'))
    await waitFor('an honest peer after a start', isReached, { deadlineMs: 2_000 })
  })
})
