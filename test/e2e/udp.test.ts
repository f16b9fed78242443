import { describe, expect, test } from 'vitest'
import { waitFor, type LabHost } from '../lab/index.ts'
import { CONFIG, useLab } from '../lab/use-lab.ts'

const UDP = { ...CONFIG, Backend: { Type: 'udp' } }
const DEVICE = 'flannel0'
/** None of these waits says how fast something is. */
const PATIENTLY = { deadlineMs: 60_000 }

describe('udp', () => {
  const lab = useLab({ hosts: 2, verbosity: 1 }, async (made) => {
    await made.putConfig(UDP)
    await made.startAgents()
    await Promise.all(made.hosts.map((host) => host.addContainer()))
  })

  async function reaches(host: LabHost, to: LabHost): Promise<void> {
    const [from, other] = [host.containers[0], to.containers[0]]
    await waitFor(
      `${host.name} to reach ${to.name}`,
      async () => ((await from?.ping(other?.address ?? '', { count: 1 }))?.received ?? 0) > 0,
      PATIENTLY,
    )
  }

  test('containers reach each other by datagrams, through a device that the kernel names and one route', async () => {
    const [first, second] = [lab().host(0), lab().host(1)]
    await reaches(first, second)
    await reaches(second, first)
    const { subnet, mtu } = await first.ready()
    expect(mtu).toBe(1472)
    const own = subnet.text.replace(/\/.*/, '')
    const [link] = await first.place.ip('-d', 'link', 'show', 'dev', DEVICE)
    expect(link).toMatchObject({ mtu: 1472, ifalias: 'flannel-agent', linkinfo: { info_kind: 'tun' } })
    const [addresses] = await first.place.ip('-4', 'address', 'show', 'dev', DEVICE)
    expect(addresses).toMatchObject({ addr_info: [{ local: own, prefixlen: 32 }] })
    const routes = await first.place.ip('route', 'show', 'dev', DEVICE)
    expect(routes).toEqual([expect.objectContaining({ dst: '10.0.0.0/8', protocol: '70' })])
    const [lease] = await lab().leases()
    const value: unknown = JSON.parse(lease?.value ?? '')
    expect(Object.keys(value ?? {}).sort()).toEqual(['Node', 'PublicIP', 'PublicIPv6'])
  })
})
