import { afterEach, describe, expect, it } from 'vitest'
import { DeviceWorld, type BackendFields } from './device-world.ts'
import type { Json } from './real-kernel.ts'

let world: DeviceWorld | undefined

afterEach(async () => {
  await world?.dispose()
  world = undefined
})

/** The device that these `Backend` fields make, as `ip -d -j link` shows it. */
async function deviceFor(backend: BackendFields): Promise<Json> {
  world = new DeviceWorld(backend)
  await world.start()
  return world.whole(5_000)
}

const vxlanOf = (link: Json): unknown =>
  Object.entries(link['linkinfo'] ?? {}).find(([key]) => key === 'info_data')?.[1]

describe('a setting of the backend is one of the device', () => {
  it('VNI 100 and port 7890, as in old walkthroughs', async () => {
    const link = await deviceFor({ VNI: 100, Port: 7890 })
    expect(link['ifname']).toBe('flannel.100')
    expect(vxlanOf(link)).toMatchObject({ id: 100, port: 7890, local: world?.address, link: world?.underlay })
  })

  it('the largest VNI has a device', async () => {
    const link = await deviceFor({ VNI: 16_777_215 })
    expect(link['ifname']).toBe('flan.16777215')
    expect(vxlanOf(link)).toMatchObject({ id: 16_777_215 })
  })

  it.each([[false], [true]])('Learning %s', async (learning) => {
    expect(vxlanOf(await deviceFor({ Learning: learning }))).toMatchObject({ learning })
  })

  it('GBP, which is off unless asked for', async () => {
    expect(vxlanOf(await deviceFor({ GBP: true }))).toMatchObject({ gbp: true })
    await world?.dispose()
    expect(vxlanOf(await deviceFor({}))).not.toHaveProperty('gbp')
  })

  it('MTU, less the overhead of an IPv4 underlay', async () => {
    expect(await deviceFor({ MTU: 1400 })).toMatchObject({ mtu: 1350 })
    await world?.dispose()
    expect(await deviceFor({})).toMatchObject({ mtu: 1450 })
  })
})
