import { expect, test } from 'vitest'
import { forwards } from '../../lab/index.ts'
import { bringUp, useLab } from '../../lab/use-lab.ts'
import { allExact, inCircle, losesNoPing } from './etcd-overlay.ts'
import { leaseNameOf, readLeaseKey } from './lease-scene.ts'

const lab = useLab({ hosts: 3 }, bringUp)

test('lease: a reservation, a key on no etcd lease: stays one over restarts of its node, orderly and not', async () => {
  const host = lab().host(0)
  const name = await leaseNameOf(lab(), host)
  const key = await readLeaseKey(lab(), name)
  await host.agent.stop()
  await lab().putLease(name, key?.value ?? '')
  for (const end of ['stop', 'kill'] as const) {
    await losesNoPing(inCircle(lab().hosts), async () => {
      await host.place.exec('rm', ['-f', '/run/flannel/subnet.env'])
      host.agent.start()
      expect((await host.ready()).subnet.text).toBe(name.replace('-', '/'))
      await allExact(lab())
    })
    expect((await readLeaseKey(lab(), name))?.etcdLease, 'its etcd lease').toBeUndefined()
    await host.agent[end]()
  }
})

test('lease: a lease that an operator makes a reservation while its node runs: left as it is, and stays one', async () => {
  const host = lab().host(1)
  const name = await leaseNameOf(lab(), host)
  const before = await readLeaseKey(lab(), name)
  await losesNoPing([[lab().host(2), host]], async () => {
    await lab().putLease(name, before?.value ?? '')
    const reserved = await readLeaseKey(lab(), name)
    await host.agent.stop()
    host.agent.start()
    await forwards(host, { deadlineMs: 20_000 })
    expect(await readLeaseKey(lab(), name)).toEqual(reserved)
    expect(reserved?.etcdLease).toBeUndefined()
  })
})
