import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { DeviceWorld, type BackendFields } from './device-world.ts'
import { ip } from '../../src/net/ip.ts'
import { RtnetlinkKernel } from '../../src/netlink/rtnetlink-kernel.ts'
import { waitFor } from '../lab/wait-for.ts'
import { ipJson, tool } from './real-kernel.ts'

/** How soon the device must be right again after a single change. */
const HEALED_WITHIN_MS = 2_000

let world: DeviceWorld
/** Devices a test made beside. */
const others = new Set<string>()

afterEach(async () => {
  await world.dispose()
  for (const name of others) tool('ip', 'link', 'delete', name)
  others.clear()
})

async function started(backend: BackendFields = {}): Promise<DeviceWorld> {
  world = new DeviceWorld(backend)
  await world.start()
  await world.whole(5_000)
  await world.logged(/device created/) // the last thing that a start does
  return world
}

function addOther(name: string, ...what: readonly string[]): void {
  tool('ip', 'link', 'add', name, 'type', ...what)
  others.add(name)
  tool('ip', 'link', 'set', name, 'up')
}

function removeOther(name: string): void {
  tool('ip', 'link', 'delete', name)
  others.delete(name)
}

describe('a conflict is named with its cure, and over when it is gone', () => {
  async function conflict(message: RegExp, end: () => void | Promise<void>): Promise<void> {
    await world.start()
    const [line] = await world.logged(/warn device flannel/)
    expect(line).toMatch(message)
    await end()
    await world.whole(5_000)
  }

  it('with another vxlan of our VNI and port', async () => {
    world = new DeviceWorld()
    const rival = `r${world.underlay}`
    addOther(rival, 'vxlan', 'id', String(world.vni), 'dstport', String(world.port), 'dev', `p${world.underlay}`)
    await conflict(new RegExp(`${rival} already carries VNI ${world.vni} on UDP port ${world.port}; remove it`), () => {
      removeOther(rival)
    })
  })

  it.each([
    ['another GBP setting', ['id', '7', 'gbp'], 'with GBP on, ours off'],
    ['external mode', ['external'], 'in external mode'],
  ])('with a vxlan on our port with %s', async (_, settings, what) => {
    world = new DeviceWorld()
    const rival = `r${world.underlay}`
    addOther(rival, 'vxlan', ...settings, 'dstport', String(world.port))
    await conflict(new RegExp(`${rival} \\(VNI \\d+\\) already listens on UDP port ${world.port} ${what}`), () => {
      removeOther(rival)
    })
  })

  it('with a program on our port', async () => {
    world = new DeviceWorld()
    const socket = createSocket('udp4').bind(world.port)
    await once(socket, 'listening')
    await conflict(/UDP port \d+, .* is taken by a program/, async () => {
      socket.close()
      await once(socket, 'close')
    })
  })

  it('with a device of our name that is no vxlan, which is left alone', async () => {
    world = new DeviceWorld()
    const { name } = world
    addOther(name, 'bridge')
    await conflict(/exists, but it is a bridge device, not vxlan; rename it, remove it \(ip link delete/, () => {
      expect(world.device()).toMatchObject({ linkinfo: { info_kind: 'bridge' } })
      removeOther(name)
    })
  })
})

describe('the underlay', () => {
  it('deleted and re-created: the device is back with the same MAC and address', async () => {
    const { underlay } = await started()
    const { ifindex } = world.device() ?? {}
    tool('ip', 'link', 'delete', underlay)
    await world.underlayIs('lost')
    expect(world.device()).toBeUndefined()
    world.addUnderlay()
    const after = await world.whole(HEALED_WITHIN_MS)
    expect(after['ifindex']).not.toBe(ifindex)
    expect(after).toMatchObject({ linkinfo: { info_data: { link: underlay } } })
  })

  it('losing its carrier or its address and getting it back: the device is not touched', async () => {
    const { underlay, address } = await started()
    const before = world.device()
    const logged = world.log.length
    tool('ip', 'link', 'set', `p${underlay}`, 'down')
    tool('ip', 'link', 'set', `p${underlay}`, 'up')
    tool('ip', 'address', 'delete', `${address}/32`, 'dev', underlay)
    await world.underlayIs('lost')
    tool('ip', 'address', 'add', `${address}/32`, 'dev', underlay)
    await world.underlayIs('there')
    expect(world.device()).toEqual(before)
    expect(world.log).toHaveLength(logged + 2)
  })

  it('with another MTU: the device and the subnet file follow', async () => {
    const { underlay } = await started()
    for (const mtu of [1400, 9000]) {
      tool('ip', 'link', 'set', underlay, 'mtu', String(mtu))
      await world.whole(HEALED_WITHIN_MS, (link) => link['mtu'] === mtu - 50 && world.mtu === mtu - 50)
    }
    expect(world.log.filter((line) => line.includes('follows the underlay: mtu'))).toHaveLength(2)
  })

  it('with less than Backend.MTU: the device takes what there is, and a warning says so once', async () => {
    const { underlay } = await started({ MTU: 9000 })
    expect(await world.whole(HEALED_WITHIN_MS)).toMatchObject({ mtu: 1450 })
    tool('ip', 'link', 'set', `p${underlay}`, 'down')
    tool('ip', 'link', 'set', underlay, 'mtu', '9000')
    await world.whole(HEALED_WITHIN_MS, (link) => link['mtu'] === 8950)
    expect(await world.logged(/warn Backend.MTU is 9000, but .* carries only 1500/)).toHaveLength(1)
  })
})

describe('the device, changed from outside', () => {
  it.each<[string, (name: string) => readonly string[], RegExp]>([
    ['deleted', (name) => ['link', 'delete', name], /was deleted from outside; made anew/],
    ['set down', (name) => ['link', 'set', name, 'down'], /was changed from outside: set down; mended/],
    ['with another MTU', (name) => ['link', 'set', name, 'mtu', '1280'], /: mtu 1280, expected 1450; mended/],
    ['without its address', (name) => ['address', 'flush', 'dev', name], /: address 10\.\S+\/32 missing; mended/],
    [
      'with another MAC',
      (name) => ['link', 'set', name, 'address', '02:00:00:00:0d:02'],
      /: mac 02:00:00:00:0d:02, expected 02:00:00:00:0d:01; mended/,
    ],
    ['renamed', (name) => ['link', 'set', name, 'name', `x${name.slice(8)}`], /: renamed to x\d+; made anew/],
    [
      'held without carrier by protodown',
      (name) => ['link', 'set', name, 'protodown', 'on'],
      /: protodown is on, so that it has no carrier; made anew/,
    ],
    ['made to learn', (name) => ['link', 'set', name, 'type', 'vxlan', 'learning'], /: learning is on; made anew/],
  ])('%s: it is mended, and the log says what was found', async (_, command, message) => {
    const { name } = await started()
    tool('ip', ...command(name))
    await world.logged(message, HEALED_WITHIN_MS)
    await world.whole(HEALED_WITHIN_MS, (link) => link['mtu'] === 1450)
  })

  it('renamed again and again: made anew ever more slowly, with one warning', async () => {
    const { name } = await started()
    for (let times = 0; times < 4; times++) {
      await world.whole(HEALED_WITHIN_MS)
      tool('ip', 'link', 'set', name, 'name', `x${world.vni}.${times}`)
    }
    await world.logged(/warn .* keeps being changed from outside \(renamed to x\d+\.3\)/, HEALED_WITHIN_MS)
    expect(world.device()).toBeUndefined()
    await world.whole(5_000)
    expect(ipJson('link', 'show').filter(({ ifname }) => String(ifname).includes(String(world.vni)))).toHaveLength(1)
  })

  it('put into a bridge: it is taken out again', async () => {
    const { name, underlay } = await started()
    const bridge = `b${underlay}`
    addOther(bridge, 'bridge')
    tool('ip', 'link', 'set', name, 'master', bridge)
    await world.logged(/was changed from outside: enslaved to link \d+; mended/, HEALED_WITHIN_MS)
    await world.whole(HEALED_WITHIN_MS, (link) => link['master'] === undefined)
  })

  it('again and again: mended ever more slowly, with one warning, and anything else at once meanwhile', async () => {
    const { name } = await started()
    const isMended = (link: Readonly<Record<string, unknown>>): boolean => link['mtu'] === 1450
    const tookMs: number[] = []
    for (let times = 0; times < 5; times++) {
      tool('ip', 'link', 'set', name, 'mtu', '1280')
      const beganMs = performance.now()
      await world.whole(10_000, isMended)
      tookMs.push(performance.now() - beganMs)
    }
    // Delays of 1 s and 2 s, each up to a fifth shorter.
    expect(tookMs[3]).toBeGreaterThan(750)
    expect(tookMs[4]).toBeGreaterThan(1_550)
    tool('ip', 'link', 'set', name, 'mtu', '1280')
    tool('ip', 'link', 'set', name, 'down')
    await world.whole(HEALED_WITHIN_MS)
    expect(world.device()).toMatchObject({ mtu: 1280 })
    expect(await world.logged(/warn .* keeps being changed from outside \(mtu 1280, expected 1450\)/)).toHaveLength(1)
  })
})

describe('where packets of the host to remote containers come from', () => {
  const sourceTo = (destination: string): unknown => ipJson('route', 'get', destination)[0]?.['prefsrc']

  it('is our address again, whatever an earlier run has left before it and somebody has put there', async () => {
    const { name, conditions } = await started()
    const [own = ''] = /10\.\S+(?=\/32)/.exec(tool('ip', '-4', 'address', 'show', 'dev', name)) ?? []
    const [peer, foreign, former] = [
      `10.255.${world.vni % 250}.0`,
      `172.30.${world.vni % 250}.5`,
      `172.29.${world.vni % 250}.0`,
    ]
    const hasForeign = (): boolean =>
      conditions.all().some(({ what, reason }) => what === `addresses of ${name}` && reason.includes(foreign))
    const route = (): string =>
      tool('ip', 'route', 'replace', `${peer}/24`, 'via', peer, 'dev', name, 'onlink', 'proto', '70', 'metric', '9')
    route()
    expect(sourceTo(peer)).toBe(own)

    const kernel = new RtnetlinkKernel()
    const linkIndex = Number(world.device()?.['ifindex'])
    tool('ip', 'address', 'add', `${foreign}/24`, 'dev', name)
    const swap = ['delete', 'add'].map((how) => `address ${how} ${own}/32 dev ${name}`)
    execFileSync('ip', ['-batch', '-'], { input: swap.join('\n') })
    await kernel.apply([{ op: 'address.add', linkIndex, ip: ip(former), prefixLength: 32 }], AbortSignal.timeout(5_000))
    kernel.close()
    route()
    await waitFor('our source', () => sourceTo(peer) === own, { deadlineMs: HEALED_WITHIN_MS })
    await waitFor('the foreign address to be named', hasForeign)
    const shown = tool('ip', '-4', 'address', 'show', 'dev', name)
    expect(shown).toContain(`${foreign}/24`)
    expect(shown).toMatch(new RegExp(`${own}/8 .* noprefixroute`))
    expect(shown).not.toContain(former)
    expect(tool('ip', 'route', 'show', 'dev', name)).not.toContain('10.0.0.0/8')

    tool('ip', 'address', 'delete', `${foreign}/24`, 'dev', name)
    await world.whole(HEALED_WITHIN_MS)
    await waitFor('nothing to be named', () => !hasForeign())
  })
})
