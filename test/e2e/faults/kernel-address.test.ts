import { describe, expect, test } from 'vitest'
import { waitFor, type LabHost, type StoredLease } from '../../lab/index.ts'
import { UNDERLAY } from '../../lab/underlay.ts'
import { readLease } from '../../lab/expected-tables.ts'
import { bringUp, DEVICE, useLab } from '../../lab/use-lab.ts'
import { ADDRESS_MOMENTS, addressTitle } from './kernel-address.ts'
import { MOMENT } from './moments.ts'

const FOLLOWED_WITHIN_MS = 5_000
/** A start asks etcd over a connection from the old address, which is given up after five seconds without an answer. */
const FOLLOWED_AT_START_WITHIN_MS = 12_000
describe('a host whose address on the underlay is another from now on', () => {
  const lab = useLab({ hosts: 3 }, bringUp)

  const leaseNamed = async (base: string): Promise<StoredLease> => {
    const lease = (await lab().leases()).find(({ name }) => name.startsWith(`${base}-`))
    if (!lease) throw new Error(`no lease of ${base}`)
    return lease
  }

  /** Where the others send what is for this MAC. */
  const destinations = (others: readonly LabHost[], mac: string): Promise<readonly (string | undefined)[]> =>
    Promise.all(
      others.map(async (other) => (await other.peerTables(DEVICE)).fdb.find((row) => row.mac === mac)?.remote),
    )

  const flows = async (from: LabHost, to: LabHost): Promise<boolean> => {
    const answer = await from.containers[0]?.ping(to.containers[0]?.address ?? '', { count: 1, timeoutMs: 300 })
    return answer?.received === 1
  }

  for (const [at, moment] of ADDRESS_MOMENTS.entries())
    test(addressTitle(moment), async () => {
      const address = UNDERLAY.address(111 + at)
      const host = lab().host(1)
      const others = lab().hosts.filter((other) => other !== host)
      const file = await host.ready()
      const before = await leaseNamed(file.subnet.base.text)
      const { mac } = readLease(before)
      const peers = (await lab().leases()).length - 1
      const aftermath = await MOMENT[moment].strike({ lab: lab(), host, peers }, () => host.setUnderlayAddress(address))

      const isFollowed = async (): Promise<boolean> => {
        expect(await destinations(others, mac)).toEqual(others.map(() => address))
        for (const other of others) expect([await flows(other, host), await flows(host, other)]).toEqual([true, true])
        return true
      }
      const deadlineMs = moment === 'during start-up' ? FOLLOWED_AT_START_WITHIN_MS : FOLLOWED_WITHIN_MS
      await waitFor('the peers to follow', isFollowed, { deadlineMs })
      await aftermath()

      const after = await leaseNamed(file.subnet.base.text)
      expect(readLease(after)).toEqual({ ...readLease(before), publicIp: address })
      expect(after.createRevision).toBe(before.createRevision)
      expect(await host.ready()).toEqual(file)
      expect(await host.link(DEVICE)).toMatchObject({ mac, vxlan: { local: address } })
    })
})
