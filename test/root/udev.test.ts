import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { DEVICE, DUAL, DEVICE6, useLab } from '../lab/use-lab.ts'
import { waitFor } from '../lab/index.ts'

const OURS = readFileSync(join(import.meta.dirname, '../../packaging/network/00-flannel-agent.link'), 'utf8')

/** What systemd itself brings, for devices that no other file is about. */
const DEFAULT =
  '[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep kernel database onboard slot path\nMACAddressPolicy=persistent\n'

/** Whoever wants one MTU on the whole host writes something of this kind. */
const EVERYTHING = '[Match]\nOriginalName=*\n[Link]\nMTUBytes=1400\nMACAddressPolicy=random\n'

describe('udev', () => {
  const lab = useLab({ hosts: 1 })
  const place = () => lab().host(0).place

  const write = (name: string, text: string): Promise<string> =>
    place().exec('sh', ['-c', 'mkdir -p /run/systemd/network; cat > /run/systemd/network/"$0"', name], { input: text })
  /** What udevd does when a device appears. */
  const setUp = (device: string): Promise<string> => {
    const script = 'mount -t sysfs sysfs /sys && udevadm test-builtin net_setup_link /sys/class/net/"$0" 2>&1'
    return place().exec('unshare', ['--mount', 'sh', '-c', script, device])
  }
  const seen = async (device: string): Promise<unknown> => {
    const link = await lab().host(0).link(device)
    return link && { name: link.name, mac: link.mac, mtu: link.mtu }
  }
  /** As upstream made its device up to 0.15: with a MAC that the kernel has chosen. */
  const addPlain = async (name: string): Promise<unknown> => {
    await place().exec('ip', ['link', 'add', name, 'type', 'vxlan', 'id', '7', 'dstport', '8472', 'dev', 'eth0'])
    return seen(name)
  }

  beforeAll(async () => {
    await lab().putConfig(DUAL)
    await lab().startAgents()
    await waitFor('the devices', async () => (await seen(DEVICE)) !== undefined && (await seen(DEVICE6)) !== undefined)
    await lab().host(0).agent.stop()
  })

  test("leaves the agent's devices as they are by default, and not those whose MAC the kernel has chosen", async () => {
    await write('99-default.link', DEFAULT)
    for (const device of [DEVICE, DEVICE6]) {
      const before = await seen(device)
      expect(await setUp(device)).toContain('99-default.link is applied')
      expect(await seen(device)).toEqual(before)
    }
    const plain = await addPlain('flannel.7')
    await setUp('flannel.7')
    expect(await seen('flannel.7')).not.toEqual(plain)
    await place().exec('ip', ['link', 'delete', 'flannel.7'])
  })

  test("changes the agent's devices where somebody has a file for all", async () => {
    await write('10-everything.link', EVERYTHING)
    const before = await seen(DEVICE)
    expect(await setUp(DEVICE)).toContain('10-everything.link is applied')
    expect(await seen(DEVICE)).not.toEqual(before)
  })

  test('leaves every device of these names alone where our file lies', async () => {
    await write('00-flannel-agent.link', OURS)
    for (const device of [DEVICE, DEVICE6]) {
      const before = await seen(device)
      expect(await setUp(device)).toContain('00-flannel-agent.link is applied')
      expect(await seen(device)).toEqual(before)
    }
    for (const name of ['flannel.7', 'flannel-v6.7', 'flan.7', 'flan6.7']) {
      const before = await addPlain(name)
      await setUp(name)
      expect(await seen(name)).toEqual(before)
      await place().exec('ip', ['link', 'delete', name])
    }
  })
})
