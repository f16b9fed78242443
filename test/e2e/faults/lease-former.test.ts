import { describe, expect, test } from 'vitest'
import { isReady, waitFor, type LabHost } from '../../lab/index.ts'
import { readLease } from '../../lab/expected-tables.ts'
import { ETCD_PREFIX } from '../../lab/lab.ts'
import { bringUp, CONFIG, useLab } from '../../lab/use-lab.ts'
import { leaseNameOf } from './lease-scene.ts'

const RESTORED_WITHIN_MS = 60_000

/** The first host has left a subnet, the second has it now, and etcd is restored to what it was when the first one had it. */
describe('a lease of long ago that comes back with a restored etcd', () => {
  const lab = useLab({ hosts: 3 }, async (it) => {
    await it.putConfig(CONFIG)
  })

  const publisherOf = async (name: string): Promise<string | undefined> => {
    const lease = (await lab().leases()).find((one) => one.name === name)
    return lease && readLease(lease).publicIp
  }

  /** Somebody else is to take this subnet. */
  async function leave(host: LabHost, name: string): Promise<void> {
    await host.agent.stop()
    await lab().etcdctl('del', `${ETCD_PREFIX}/subnets/${name}`)
    await host.place.exec('rm', ['-rf', '/run/flannel'])
    await host.place.exec('ip', ['link', 'del', 'flannel.100'])
  }

  async function startWith(host: LabHost, name: string): Promise<void> {
    const file = `FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=${name.replace(/0-/, '1/')}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n`
    await host.place.exec('mkdir', ['-p', '/run/flannel'])
    await host.place.exec('sh', ['-c', `printf '${file.replaceAll('\n', '\\n')}' > /run/flannel/subnet.env`])
    host.agent.start()
    await isReady(host)
  }

  async function play(lives: boolean): Promise<void> {
    const [former, present, other] = lab().hosts
    if (former === undefined || present === undefined || other === undefined) throw new Error('no hosts')
    await bringUp(lab())
    const name = await leaseNameOf(lab(), former)
    const presents = await leaseNameOf(lab(), present)
    const snapshot = await lab().etcd.snapshot()
    await leave(former, name)
    await leave(present, presents)
    await startWith(present, name)
    expect(await publisherOf(name)).toBe(present.address)
    if (lives) {
      former.agent.start()
      await former.ready()
    }
    const now = await present.subnetFile()
    const [source] = other.containers
    if (source === undefined) throw new Error('no container')
    const stream = source.pingStream(name.replace(/-.*/, ''), 20)
    await stream.progress(3)
    await lab().etcd.restore(snapshot) // from here on it is of the former, for as long as nobody puts it right
    const isBack = async (): Promise<boolean> => (await publisherOf(name)) === present.address
    await waitFor('the lease to be of who has it now', isBack, { deadlineMs: RESTORED_WITHIN_MS })
    await stream.progress(3)
    await stream.stop()
    expect(await present.agent.log()).not.toContain('lease lost')
    expect(await present.subnetFile()).toEqual(now)
    if (lives) await former.agent.stop()
    for (const host of [present, other]) await host.agent.stop()
    // a bridge on a subnet that another host has by then would keep that host out
    for (const { containers, place } of lab().hosts) {
      await Promise.all(containers.splice(0).map((container) => container.close()))
      await place.exec('ip', ['link', 'delete', 'docker0'])
    }
  }

  test('lease: one that another node, which lives, had before etcd was restored: stays with who has it now', async () => {
    await play(true)
  })

  test('lease: one that a dead node had before etcd was restored: stays with who has it now', async () => {
    await play(false)
  })
})
