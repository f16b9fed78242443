import { beforeEach, describe, expect, it } from 'vitest'
import { ip } from '../../../../src/net/ip.ts'
import { mac } from '../../../../src/net/mac.ts'
import { KernelError, type KernelOp, type LinkState, type VxlanState } from '../../../../src/kernel/kernel.ts'
import { DeviceConflictError } from '../../../../src/backend/device/kind.ts'
import { deviationsOf } from '../../../../src/backend/device/deviation.ts'
import { tendDevice } from '../../../../src/backend/device/tend-device.ts'
import type { VxlanDeviceSpec } from '../../../../src/backend/vxlan/device-spec.ts'
import { incompatibility, vxlanDevice } from '../../../../src/backend/vxlan/vxlan-device.ts'
import { ensureDevice } from '../../../fake/ensure-device.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { deviceSpecOn } from '../../../fake/samples.ts'

const forever = new AbortController().signal

let kernel: FakeKernel
let spec: VxlanDeviceSpec

beforeEach(() => {
  kernel = new FakeKernel()
  const card = kernel.addCard('eth0')
  spec = deviceSpecOn(card.index)
})

const ensure = () => ensureDevice(kernel, spec, forever)

/** Our device as it is now. */
function device(): LinkState {
  const link = [...kernel.tables.links.values()].find(({ name }) => name === spec.name)
  if (link === undefined) throw new Error('no device')
  return link
}

const addressesOn = (linkIndex: number): readonly string[] =>
  [...kernel.tables.addresses.values()]
    .filter((address) => address.linkIndex === linkIndex)
    .map((address) => `${address.ip.text}/${address.prefixLength}`)

/** A device of our name that differs in one thing fixed at its creation, brought about from outside. */
function existing(change: Partial<VxlanState>): LinkState {
  const vxlan = { ...spec.vxlan, external: false, ...change }
  return kernel.addCard(spec.name, { kind: 'vxlan', vxlan, mac: mac('02:00:00:00:00:55') })
}

describe('ensureDevice without one', () => {
  it('creates it whole: parameters, MAC, MTU, alias, one /32 address, up', async () => {
    const { outcome, link } = await ensure()
    expect(outcome).toBe('created')
    expect(link).toEqual(device())
    expect(link).toMatchObject({ name: 'flannel.100', mac: spec.mac, mtu: 1450, alias: 'flannel-agent', up: true })
    expect(link.vxlan).toEqual({ ...spec.vxlan, external: false })
    expect(addressesOn(link.index)).toEqual(['10.15.64.0/32'])
  })

  it('writes nothing the second time', async () => {
    await ensure()
    const { writes } = kernel.stats()
    expect(await ensure()).toMatchObject({ outcome: 'unchanged' })
    expect(kernel.stats().writes).toBe(writes)
  })

  it('gives the device its address before it is up, and no link-local one', async () => {
    const ops: KernelOp[] = []
    kernel.faults.refuse = (op) => {
      ops.push(op)
      return undefined
    }
    await ensure()
    expect(ops.map(({ op }) => op)).toEqual(['link.create', 'link.set', 'address.add', 'link.set'])
    expect(ops[1]).toMatchObject({ addressGeneration: 'none' })
    expect(ops[3]).toMatchObject({ up: true })
  })
})

describe('ensureDevice with one of a previous run', () => {
  it('adopts it and mends only what differs', async () => {
    const found = existing({})
    const { outcome, link } = await ensure()
    expect(outcome).toBe('adopted')
    expect(link).toMatchObject({ index: found.index, mac: spec.mac, mtu: 1450, alias: 'flannel-agent' })
    expect(kernel.stats().byOp).toEqual({ 'link.set': 3, 'address.add': 1 })
  })

  it.each<[string, Partial<VxlanState>, string]>([
    ['VNI', { vni: 7 }, 'its VNI is 7, not 100'],
    ['underlay', { underlayIndex: 77 }, 'it is bound to another interface'],
    ['local address', { local: ip('10.9.9.9') }, 'its local address is 10.9.9.9, not 192.168.205.10'],
    ['missing local address', { local: undefined }, 'its local address is unset, not 192.168.205.10'],
    ['port', { port: 4789 }, 'its port is 4789, not 8472'],
    ['learning', { learning: true }, 'learning is on'],
    ['GBP', { gbp: true }, 'GBP is on'],
    ['external mode', { external: true }, 'it takes its tunnels from routes (external)'],
  ])('makes it anew for another %s, and says why', async (_, change, reason) => {
    const found = existing(change)
    const made = await ensure()
    expect(made).toMatchObject({ outcome: 'recreated', mended: [{ property: 'parameters', found: reason }] })
    expect(made.link.index).not.toBe(found.index)
    expect(device().vxlan).toMatchObject({ vni: 100, port: 8472, external: false })
  })

  it('keeps it for another time to live or checksum: forwarding is the same', () => {
    const link = existing({ ttl: 64, udpChecksum: true })
    expect(incompatibility(link, spec)).toBeUndefined()
  })
})

describe('ensureDevice after somebody changed the device', () => {
  beforeEach(async () => {
    await ensure()
  })

  const drift = (op: Omit<Extract<KernelOp, { op: 'link.set' }>, 'op' | 'linkIndex'>): void => {
    kernel.outside({ op: 'link.set', linkIndex: device().index, ...op })
  }

  it.each<[string, string, () => void]>([
    [
      'MTU',
      'mtu 1400, expected 1450',
      () => {
        drift({ mtu: 1400 })
      },
    ],
    [
      'MAC',
      'mac 02:00:00:00:00:66, expected 02:00:00:00:00:01',
      () => {
        drift({ mac: mac('02:00:00:00:00:66') })
      },
    ],
    [
      'alias',
      'alias mine, expected flannel-agent',
      () => {
        drift({ alias: 'mine' })
      },
    ],
    [
      'state',
      'set down',
      () => {
        drift({ up: false })
      },
    ],
  ])('mends its %s in place, with one write, and says what it was', async (_, found, act) => {
    const before = device()
    const { writes } = kernel.stats()
    act()
    expect(await ensure()).toMatchObject({ outcome: 'adopted', mended: [{ found }] })
    expect(device()).toEqual(before)
    expect(kernel.stats().writes).toBe(writes + 1)
  })

  it('mends what the kernel lets it mend when it refuses something else', async () => {
    drift({ mtu: 1400, up: false })
    kernel.faults.refuse = (op) => (op.op === 'link.set' && op.mtu !== undefined ? 'EINVAL' : undefined)
    await expect(ensure()).rejects.toMatchObject({ code: 'EINVAL' })
    expect(device()).toMatchObject({ mtu: 1400, up: true })
  })

  it('takes it out of a bridge', async () => {
    const bridge = kernel.addCard('br0', { kind: 'bridge' })
    kernel.tables.links.set(device().index, { ...device(), master: bridge.index })
    expect(await ensure()).toMatchObject({ mended: [{ found: `enslaved to link ${bridge.index}` }] })
    expect(device().master).toBeUndefined()
  })

  it('puts its address back', async () => {
    kernel.outside({ op: 'address.delete', linkIndex: device().index, ip: spec.address, prefixLength: 32 })
    expect(await ensure()).toMatchObject({ mended: [{ found: 'address 10.15.64.0/32 missing' }] })
    expect(addressesOn(device().index)).toEqual(['10.15.64.0/32'])
  })

  it('removes other addresses of the overlay and keeps foreign ones', async () => {
    const { index } = device()
    for (const [text, prefixLength] of [
      ['10.15.64.0', 20],
      ['10.77.0.0', 32],
      ['172.30.0.1', 24],
      ['fe80::1', 64],
    ] as const)
      kernel.outside({ op: 'address.add', linkIndex: index, ip: ip(text), prefixLength })
    await ensure()
    expect(addressesOn(index)).toEqual(['10.15.64.0/32', '172.30.0.1/24', 'fe80::1/64'])
  })

  it('does not touch addresses of other devices', async () => {
    const bridge = kernel.addCard('docker0')
    kernel.outside({ op: 'address.add', linkIndex: bridge.index, ip: ip('10.15.64.1'), prefixLength: 20 })
    expect(await ensure()).toMatchObject({ outcome: 'unchanged' })
    expect(addressesOn(bridge.index)).toEqual(['10.15.64.1/20'])
  })

  it('makes it again when it was renamed, so that nobody is in its way', async () => {
    const { index } = device()
    kernel.tables.links.set(index, { ...device(), name: 'foo0' })
    expect(await ensure()).toMatchObject({
      outcome: 'recreated',
      mended: [{ property: 'name', found: 'renamed to foo0' }],
    })
    expect(kernel.indexOf('foo0')).toBeUndefined()
    expect(addressesOn(device().index)).toEqual(['10.15.64.0/32'])
  })

  it.each<[string, Partial<LinkState>]>([
    ['MAC', { mac: mac('02:00:00:00:00:66') }],
    ['alias', { alias: undefined }],
  ])('takes a vxlan of another name and %s for a stranger', async (_, change) => {
    kernel.tables.links.set(device().index, { ...device(), name: 'foo0', ...change })
    await expect(ensure()).rejects.toThrow('foo0 already carries VNI 100 on UDP port 8472')
    expect(kernel.indexOf('foo0')).toBeDefined()
  })

  it('makes it again when it was deleted', async () => {
    kernel.outside({ op: 'link.delete', linkIndex: device().index })
    expect(await ensure()).toMatchObject({ outcome: 'created' })
  })
})

describe('ensureDevice that cannot', () => {
  it('leaves a device alone that has our name but is no vxlan', async () => {
    kernel.addCard(spec.name, { kind: 'bridge' })
    await expect(ensure()).rejects.toThrow(DeviceConflictError)
    await expect(ensure()).rejects.toThrow(
      'flannel.100 exists, but it is a bridge device, not vxlan; rename it, remove it (ip link delete flannel.100), or',
    )
    expect(kernel.stats().writes).toBe(0)
  })

  it('names the other device that has our VNI and port, and leaves it alone', async () => {
    kernel.addCard('vxlan7', { kind: 'vxlan', vxlan: { ...spec.vxlan, external: false } })
    await expect(ensure()).rejects.toThrow(DeviceConflictError)
    await expect(ensure()).rejects.toThrow(
      'vxlan7 already carries VNI 100 on UDP port 8472; remove it (ip link delete vxlan7), or configure another Backend.VNI',
    )
    expect(kernel.indexOf('vxlan7')).toBeDefined()
  })

  it('says where to look for such a device when it is in another network namespace', async () => {
    kernel.faults.refuse = ({ op }) => (op === 'link.create' ? 'EEXIST' : undefined)
    await expect(ensure()).rejects.toThrow(
      /^a device that was moved to another network namespace already carries VNI 100/,
    )
  })

  it('only tries again when somebody else has just made a device of our name', async () => {
    kernel.faults.refuse = ({ op }) => {
      if (op === 'link.create') existing({})
      return op === 'link.create' ? 'EEXIST' : undefined
    }
    await expect(ensure()).rejects.toThrow(KernelError)
    expect(await ensure()).toMatchObject({ outcome: 'adopted' })
  })

  it.each<[string, Partial<VxlanState>, string]>([
    ['another GBP setting', { gbp: true }, 'vxlan7 (VNI 7) already listens on UDP port 8472 with GBP on, ours off;'],
    ['external mode', { external: true }, 'vxlan7 (VNI 7) already listens on UDP port 8472 in external mode;'],
    ['settings we do not know', {}, 'vxlan7 (VNI 7) already listens on UDP port 8472 with other settings;'],
  ])('names the device that has the port with %s, and says what to do', async (_, change, message) => {
    kernel.addCard('vxlan7', { kind: 'vxlan', vxlan: { ...spec.vxlan, external: false, vni: 7, ...change } })
    kernel.faults.refuse = (op) => (op.op === 'link.set' && op.up === true ? 'EADDRINUSE' : undefined)
    await expect(ensure()).rejects.toThrow(DeviceConflictError)
    await expect(ensure()).rejects.toThrow(message)
    await expect(ensure()).rejects.toThrow('remove vxlan7 (ip link delete vxlan7), or configure another Backend.Port')
  })

  it.each<[string, string, number, string, boolean]>([
    ['a device of ours of another VNI', 'flannel.7', 7, 'flannel-agent', true],
    ['a device that is not proved ours', 'flannel.7', 7, '', false],
    ['our device of the other family', 'flannel-v6.100', 100, 'flannel-agent', false],
  ])('where %s has the port, removes it: only a former one of ours', async (_, name, vni, alias, goes) => {
    const fields = { vxlan: { ...spec.vxlan, external: false, vni, gbp: true }, alias, kind: 'vxlan' }
    const rival = kernel.addCard(name, fields).index
    const isInTheWay = (): boolean => kernel.tables.links.has(rival)
    kernel.faults.refuse = (op) => (op.op === 'link.set' && op.up === true && isInTheWay() ? 'EADDRINUSE' : undefined)
    if (goes) expect(await ensure()).toMatchObject({ link: { up: true }, removed: [name] })
    else await expect(ensure()).rejects.toThrow(DeviceConflictError)
    expect(isInTheWay()).toBe(!goes)
  })

  it('says how to find the program that has the port', async () => {
    kernel.faults.refuse = (op) => (op.op === 'link.set' && op.up === true ? 'EADDRINUSE' : undefined)
    await expect(ensure()).rejects.toThrow(/UDP port 8472, .* is taken by a program, .*ss -ulnp sport = :8472/)
  })

  it.each(['link.create', 'link.set', 'address.add', 'link.delete'])(
    'passes on what the kernel says to %s',
    async (op) => {
      if (op === 'link.delete') existing({ vni: 7 })
      kernel.faults.refuse = (asked) => (asked.op === op ? 'EPERM' : undefined)
      await expect(ensure()).rejects.toThrow(KernelError)
      await expect(ensure()).rejects.toMatchObject({ op, code: 'EPERM' })
    },
  )

  it('comes through when tried again after any one refusal', async () => {
    for (const refused of ['link.create', 'link.set', 'address.add'] as const) {
      kernel = new FakeKernel()
      kernel.addCard('eth0')
      let times = 0
      kernel.faults.refuse = ({ op }) => (op === refused && times++ === 0 ? 'EBUSY' : undefined)
      await expect(ensure()).rejects.toThrow(KernelError)
      await ensure()
      expect(await ensure()).toMatchObject({ outcome: 'unchanged' })
    }
  })

  it('gives up when somebody changes it back each time', async () => {
    kernel.faults.gate = () => {
      const index = kernel.indexOf(spec.name)
      if (index !== undefined) kernel.outside({ op: 'link.set', linkIndex: index, mtu: 1400 })
      return Promise.resolve()
    }
    await expect(ensure()).rejects.toThrow(
      'flannel.100 does not stay as configured: something else keeps changing it (',
    )
  })

  it('stops when told to', async () => {
    await expect(ensureDevice(kernel, spec, AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' })
    expect(kernel.stats().writes).toBe(0)
  })
})

describe('tendDevice', () => {
  it('leaves alone what is not due, a missing device too, and says so', async () => {
    const mending = { due: () => [], mended: () => undefined }
    const tended = await tendDevice({ kernel, spec, kind: vxlanDevice(kernel, spec), mending }, forever)
    expect(tended).toMatchObject({ link: undefined, outcome: 'unchanged', postponed: [{ property: 'existence' }] })
    expect(kernel.stats().writes).toBe(0)
  })
})

describe('deviationsOf', () => {
  it('adds the right address before it removes a wrong one, and brings the link up last', () => {
    const { index } = kernel.addCard(spec.name, { up: false, kind: 'vxlan', vxlan: { ...spec.vxlan, external: false } })
    const wrong = {
      linkIndex: index,
      ip: ip('10.1.0.0'),
      prefixLength: 32,
      scope: 'global',
      flags: ['permanent'],
    } as const
    const ops = deviationsOf(spec, { ...device(), up: false }, [wrong], undefined).flatMap(
      (deviation) => deviation.ops ?? [],
    )
    expect(ops.map(({ op }) => op)).toEqual([
      'link.set',
      'link.set',
      'link.set',
      'address.add',
      'address.delete',
      'link.set',
    ])
  })
})
