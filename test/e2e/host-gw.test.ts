import { describe, expect, test } from 'vitest'
import { waitFor, type LabHost } from '../lab/index.ts'
import { CONFIG, DEVICE, useLab } from './use-lab.ts'

const withBackend = (type: string): object => ({ ...CONFIG, Backend: { Type: type } })

describe('host-gw', () => {
  const lab = useLab({ hosts: 2 }, async (made) => {
    await made.putConfig(withBackend('host-gw'))
    await made.startAgents()
    await Promise.all(made.hosts.map((host) => host.addContainer()))
  })

  async function routeBecomes(host: LabHost, other: LabHost): Promise<void> {
    const { subnet } = await other.ready()
    const route = `via ${other.address} dev eth0 proto 70`
    await waitFor(`${host.name} to have its route`, async () =>
      (await host.place.exec('ip', ['route', 'show', subnet.text])).includes(route),
    )
  }

  test('containers reach each other with their addresses, over the underlay alone', async () => {
    const [first, second] = [lab().host(0), lab().host(1)]
    await routeBecomes(first, second)
    await routeBecomes(second, first)
    const [from, to] = [first.containers[0], second.containers[0]]
    if (from === undefined || to === undefined) throw new Error('no containers')
    const capture = await lab().capture()
    expect(await from.ping(to.address, { count: 5 })).toEqual({ sent: 5, received: 5 })
    expect(await capture.stop()).toEqual([])
    expect(await first.link(DEVICE)).toBeUndefined()
    expect((await first.place.exec('ip', ['link', 'show', 'type', 'vxlan'])).trim()).toBe('')
    expect((await first.ready()).mtu).toBe((await first.link('eth0'))?.mtu)
    const [lease] = await lab().leases()
    expect(JSON.parse(lease?.value ?? '')).toMatchObject({ BackendType: 'host-gw' })
    expect(lease?.value).not.toContain('BackendData')
  })

  test('a route that somebody deletes is restored', async () => {
    const [first, second] = [lab().host(0), lab().host(1)]
    await first.place.exec('ip', ['route', 'delete', (await second.ready()).subnet.text])
    await routeBecomes(first, second)
  })

  test('a restarted agent writes nothing', async () => {
    const [first, second] = [lab().host(0), lab().host(1)]
    await routeBecomes(first, second)
    await first.agent.stop()
    first.agent.start()
    await waitFor('the new agent to forward', async () =>
      (await first.agent.logOfRun()).includes('peers=1 rejected=0 written=0 erased=0 failed=0 kernelWrites=0'),
    )
  })

  test('upstream leaves a route behind, and a peer is not on our link: the one goes, the other is named', async () => {
    const host = lab().host(0)
    await host.place.exec('ip', ['route', 'add', '10.70.0.0/20', 'via', lab().host(1).address])
    await lab().putLease('10.80.0.0-20', JSON.stringify({ PublicIP: '203.0.113.9', BackendType: 'host-gw' }))
    await waitFor('the kernel to refuse', async () => /refuses route 10\.80\.0\.0\/20/.test(await host.agent.log()))
    await waitFor(
      'the leftover to be gone',
      async () => (await host.place.exec('ip', ['route', 'show', '10.70.0.0/20'])).trim() === '',
    )
    await routeBecomes(host, lab().host(1))
  })
})

describe('alloc', () => {
  const lab = useLab({ hosts: 2 }, async (made) => {
    await made.putConfig(withBackend('alloc'))
    await made.startAgents()
  })

  test('leases subnets and writes them down, and leaves the kernel alone', async () => {
    const host = lab().host(0)
    const { mtu, subnet } = await host.ready()
    await lab().host(1).ready()
    expect(mtu).toBe((await host.link('eth0'))?.mtu)
    expect((await lab().leases()).map(({ name }) => name)).toContain(subnet.text.replace('/', '-'))
    expect((await host.place.exec('ip', ['route', 'show', 'proto', '70'])).trim()).toBe('')
    expect((await host.place.exec('ip', ['link', 'show', 'type', 'vxlan'])).trim()).toBe('')
  })
})
