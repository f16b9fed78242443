import { describe, expect, test } from 'vitest'
import { prefix, prefixesOverlap, type Prefix } from '../../../src/net/prefix.ts'
import { waitFor, type Lab, type LabHost } from '../../lab/index.ts'
import { CONFIG, DUAL, useLab } from '../../lab/use-lab.ts'
import { readLeaseKey } from './lease-scene.ts'

const ONE_SUBNET = { SubnetMin: '10.10.0.0', SubnetMax: '10.10.0.0' }
const ANY_SUBNET = { SubnetMin: '10.10.0.0', SubnetMax: '10.99.0.0' }

/** What the operator changes while the holder of the only subnet is frozen: its addresses go by another name then. */
const CHANGES = [
  {
    title:
      'lease: frozen until it ended, a part of its subnet leased under another SubnetLen: left to the other, never both',
    changed: { ...CONFIG, SubnetLen: 21 },
  },
  {
    title: 'lease: frozen until it ended, its subnet leased together with an IPv6 one: left to the other, never both',
    changed: DUAL,
  },
]

/** IPv4 subnets of all leases, by their keys. */
async function leasedSubnets(lab: Lab): Promise<readonly Prefix[]> {
  const names = (await lab.leases()).map(({ name }) => name)
  return names.map((name) => prefix((name.split('&')[0] ?? '').replace('-', '/')))
}

describe.each(CHANGES)('an agent that wakes after the end of its lease', ({ title, changed }) => {
  const lab = useLab({ hosts: 2 }, (it) => it.putConfig({ ...CONFIG, ...ONE_SUBNET }))

  /** Waits until the host has another subnet than what overlaps `taken`. @returns how often two leases stood on it meanwhile */
  async function letsGoOf(taken: Prefix, host: LabHost): Promise<number> {
    let both = 0
    const look = async (): Promise<boolean> => {
      const leased = await leasedSubnets(lab())
      if (leased.filter((subnet) => prefixesOverlap(subnet, taken)).length > 1) both += 1
      const file = await host.subnetFile()
      return file !== undefined && !prefixesOverlap(file.subnet, taken)
    }
    await waitFor(`${host.name} to let go of ${taken.text}`, look, { deadlineMs: 15_000 })
    return both
  }

  test(title, async () => {
    const [frozen, other] = [lab().host(0), lab().host(1)]
    frozen.agent.start()
    const before = (await frozen.ready()).subnet
    const name = before.text.replace('/', '-')
    const { etcdLease = '' } = (await readLeaseKey(lab(), name)) ?? {}
    frozen.agent.freeze()
    await lab().etcdctl('lease', 'revoke', etcdLease)
    await lab().putConfig({ ...changed, ...ONE_SUBNET })
    other.agent.start()
    const taken = (await other.ready()).subnet
    expect(prefixesOverlap(taken, before)).toBe(true)
    await lab().putConfig({ ...changed, ...ANY_SUBNET })
    const held = await lab().leases()
    frozen.agent.thaw()
    expect(await letsGoOf(taken, frozen), 'times when both held it').toBe(0)
    expect(await lab().leases()).toEqual(expect.arrayContaining([...held]))
    expect(await lab().leases()).toHaveLength(2)
    expect((await other.ready()).subnet).toEqual(taken)
  })
})
