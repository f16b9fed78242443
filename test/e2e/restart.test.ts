import { describe, expect, test } from 'vitest'
import type { LabHost } from '../lab/index.ts'
import { firstPass } from '../lab/log.ts'
import { leaseOf, peersAre, readLease, wholeDevice, type ReadLease } from '../lab/expected-tables.ts'
import { bringUp, DEVICE, useLab } from '../lab/use-lab.ts'

describe('an agent that ends and comes back', () => {
  const lab = useLab({ hosts: 3 }, bringUp)

  const others = async (host: LabHost): Promise<readonly ReadLease[]> =>
    (await lab().leases()).map(readLease).filter(({ publicIp }) => publicIp !== host.address)

  test('after kill -9 loses no ping through its host, keeps subnet, MAC and every entry, and writes nothing', async () => {
    const [first, second, third] = [lab().host(0), lab().host(1), lab().host(2)]
    await peersAre(first, await others(first))
    const before = await wholeDevice(first)
    const [lease, leases, revision] = [await leaseOf(lab(), first), await lab().leases(), await lab().revision()]
    const target = first.containers[0]?.address ?? ''
    const streams = [second, third].flatMap(({ containers }) => containers.map((from) => from.pingStream(target)))
    for (const stream of streams) await stream.progress()

    await first.agent.kill()
    for (const stream of streams) await stream.progress(30)
    expect(await wholeDevice(first)).toEqual(before)
    first.agent.start()
    const account = await firstPass(first)

    expect(account).toContain('peers=2 rejected=0 written=0 erased=0 failed=0 kernelWrites=0')
    expect(await wholeDevice(first)).toEqual(before)
    expect(await leaseOf(lab(), first)).toEqual(lease)
    expect(await lab().leases()).toEqual(leases)
    expect(await lab().revision()).toBe(revision)
    for (const stream of streams) {
      await stream.progress()
      expect((await stream.stop()).lost).toEqual([])
    }
  })

  test('takes its old subnet again without its subnet file and without its device', async () => {
    const first = lab().host(0)
    const lease = await leaseOf(lab(), first)
    await first.agent.kill()
    await first.place.exec('rm', ['/run/flannel/subnet.env'])
    await first.place.exec('ip', ['link', 'delete', DEVICE])
    first.agent.start()
    expect((await first.ready()).subnet.text).toBe(lease.subnet)
    expect(await first.link(DEVICE)).toMatchObject({ mac: lease.mac })
    await peersAre(first, await others(first))
  })
})
