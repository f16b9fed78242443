import { beforeEach, describe, expect, it } from 'vitest'
import { VxlanDeviceKeeper } from '../../../../src/backend/vxlan/device-keeper.ts'
import { ConfigError } from '../../../../src/config/error.ts'
import type { LinkState } from '../../../../src/kernel/kernel.ts'
import type { Underlay } from '../../../../src/kernel/underlay.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { recordingLog } from '../../../fake/recording-log.ts'
import { VTEP, VXLAN } from '../../../fake/samples.ts'

const forever = new AbortController().signal

let kernel: FakeKernel
let underlay: Underlay
let keeper: VxlanDeviceKeeper
let log: string[]
/** What comes of making a kernel setting so. */
let setSysctl: (name: readonly string[], value: string) => Promise<void>

beforeEach(() => {
  kernel = new FakeKernel()
  log = []
  setSysctl = () => Promise.resolve()
  const link = kernel.addCard('eth0')
  const address = ip('192.168.205.10')
  underlay = { link, address, prefix: prefix('192.168.205.0/24'), gateways: [], publicIp: address }
  const say = (message: string) => void log.push(message)
  keeper = new VxlanDeviceKeeper({
    vtep: VTEP,
    config: VXLAN,
    ports: {
      kernel,
      clock: new FakeClock(),
      random: () => 0.5,
      log: { error: say, warn: say, info: say, debug: say },
      setSysctl: (name, value) => setSysctl(name, value),
    },
  })
})

const device = (): LinkState | undefined => [...kernel.tables.links.values()].find(({ name }) => name === keeper.name)
const addresses = (): readonly string[] =>
  [...kernel.tables.addresses.values()].filter(({ linkIndex }) => linkIndex === device()?.index).map((a) => a.ip.text)

describe('the keeper of a VXLAN device', () => {
  it('makes it, says so, and reports its index and MTU; then leaves it alone', async () => {
    const report = await keeper.tend(underlay, forever)
    expect(report).toEqual({
      linkIndex: device()?.index,
      hasChanged: true,
      foreignAddresses: [],
      mtu: 1450,
      problem: undefined,
      postponed: undefined,
    })
    expect([keeper.name, log]).toEqual(['flannel.100', ['device created']])
    expect(await keeper.tend(underlay, forever)).toMatchObject({ hasChanged: false })
    expect(log).toHaveLength(1)
  })

  it('follows another MTU of the configuration at the next tending', async () => {
    await keeper.tend(underlay, forever)
    keeper.configure({ ...VXLAN, underlayMtu: 1400 })
    expect(device()?.mtu).toBe(1450)
    expect(await keeper.tend(underlay, forever)).toMatchObject({ hasChanged: true, mtu: 1350 })
    expect(device()?.mtu).toBe(1350)
  })

  it('refuses a configuration that leaves too little for the overlay, and stays as it is', async () => {
    const small = { ...underlay, link: { ...underlay.link, mtu: 100 } }
    expect(() => {
      keeper.check(VXLAN, small)
    }).toThrow(ConfigError)
    keeper.check(VXLAN, underlay)
    expect(await keeper.tend(underlay, forever)).toMatchObject({ mtu: 1450 })
  })

  it('takes no settings of another backend', () => {
    expect(() => {
      keeper.configure({ type: 'host-gw' })
    }).toThrow(/settings of host-gw/)
  })

  it('works without the setting against router advertisements: no problem where there is no IPv6, one where it is refused', async () => {
    setSysctl = () => Promise.reject(Object.assign(new Error('no such file'), { code: 'ENOENT' }))
    expect(await keeper.tend(underlay, forever)).toMatchObject({ problem: undefined })
    setSysctl = () => Promise.reject(Object.assign(new Error('read-only'), { code: 'EROFS' }))
    const { problem, linkIndex } = await keeper.tend(underlay, forever)
    expect(problem?.message).toBe('cannot keep flannel.100 from accepting router advertisements: read-only')
    expect(linkIndex).toBe(device()?.index)
  })

  describe('for IPv6', () => {
    const settings: string[] = []
    let keeper6: VxlanDeviceKeeper

    beforeEach(() => {
      settings.length = 0
      setSysctl = (name, value) => {
        settings.push(`${name.join('/')}=${value}, ${addresses6().length} addresses`)
        return Promise.resolve()
      }
      const address = ip('fd00::10')
      underlay = { ...underlay, address, prefix: prefix('fd00::/64'), publicIp: address }
      const overlay = { ...VTEP.overlay, family: 6, network: prefix('fd10::/48') } as const
      keeper6 = new VxlanDeviceKeeper({
        vtep: { ...VTEP, family: 6, overlay, subnet: prefix('fd10:0:0:1::/64') },
        config: VXLAN,
        ports: {
          ...{ kernel, clock: new FakeClock(), random: () => 0.5, log: recordingLog() },
          setSysctl: (name, value) => setSysctl(name, value),
        },
      })
    })

    const addresses6 = (): readonly unknown[] =>
      [...kernel.tables.addresses.values()].filter(({ linkIndex }) => linkIndex === kernel.indexOf('flannel-v6.100'))
    const ENABLED = 'net/ipv6/conf/flannel-v6.100/disable_ipv6=0, 0 addresses'

    it('has IPv6 turned on there before it gives the device an address, and when that was taken away', async () => {
      const { linkIndex = 0 } = await keeper6.tend(underlay, forever)
      expect(settings).toEqual([ENABLED, 'net/ipv6/conf/flannel-v6.100/accept_ra=0, 1 addresses'])
      settings.length = 0
      await keeper6.tend(underlay, forever)
      expect(settings).not.toContain(ENABLED)
      const [own] = kernel.tables.addresses.values()
      if (own === undefined) throw new Error('no address')
      kernel.outside({ op: 'address.delete', linkIndex, ip: own.ip, prefixLength: own.prefixLength })
      await keeper6.tend(underlay, forever)
      expect(settings).toContain(ENABLED)
    })

    it('says the cure where IPv6 cannot be turned on there, and is not stopped by a kernel without it', async () => {
      const failing = (code: string) => () => Promise.reject(Object.assign(new Error(`${code}: no`), { code }))
      setSysctl = failing('EROFS')
      await expect(keeper6.tend(underlay, forever)).rejects.toThrow(
        /IPv6 is off on flannel-v6\.100 .*EROFS.* Cure: sysctl -w net\.ipv6\.conf\.default\.disable_ipv6=0/,
      )
      setSysctl = failing('ENOENT')
      expect(await keeper6.tend(underlay, forever)).toMatchObject({ mtu: 1430 })
    })
  })

  it('takes its own address off when the subnet is lost, and no other', async () => {
    const { linkIndex = 0 } = await keeper.tend(underlay, forever)
    kernel.outside({ op: 'address.add', linkIndex, ip: ip('172.16.0.1'), prefixLength: 32 })
    expect(addresses()).toEqual(['10.20.0.0', '172.16.0.1'])
    await keeper.withdraw(forever)
    expect(addresses()).toEqual(['172.16.0.1'])
  })

  it('says why the address stays where the kernel refuses, and has nothing to do without a device', async () => {
    await keeper.withdraw(forever)
    await keeper.tend(underlay, forever)
    kernel.faults.refuse = ({ op }) => (op === 'address.delete' ? 'EPERM' : undefined)
    await keeper.withdraw(forever)
    expect(log.at(-1)).toMatch(/^cannot take the address of the lost subnet off flannel\.100: /)
  })
})
