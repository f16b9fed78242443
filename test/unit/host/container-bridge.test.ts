import { beforeEach, describe, expect, it } from 'vitest'
import { bridgeOf, bridgeProblems, sayBridgeProblem, type OverlayPart } from '../../../src/host/container-bridge.ts'
import type { LinkState } from '../../../src/kernel/kernel.ts'
import { ip } from '../../../src/net/ip.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { FakeKernel } from '../../fake/fake-kernel.ts'

const PART: OverlayPart = {
  ...{ family: 4, network: prefix('10.15.0.0/16'), subnet: prefix('10.15.1.0/24') },
  device: 'flannel.100',
}

let kernel: FakeKernel

beforeEach(() => {
  kernel = new FakeKernel()
  add('flannel.100', '10.15.1.0', 32, { mtu: 1450 })
  add('eth0', '192.168.205.10', 24)
})

function add(name: string, address?: string, prefixLength = 24, fields: Partial<LinkState> = {}): LinkState {
  const link = kernel.addCard(name, fields)
  if (address !== undefined) kernel.outside({ op: 'address.add', linkIndex: link.index, ip: ip(address), prefixLength })
  return link
}

const bridge = (name: string, address: string): LinkState => add(name, address, 24, { kind: 'bridge' })
const port = (of: LinkState, mtu = 1450): LinkState =>
  add(`veth${of.index}${mtu}`, undefined, 0, { master: of.index, mtu })
const all = () => ({
  links: [...kernel.tables.links.values()],
  addresses: [...kernel.tables.addresses.values()],
})
const problems = (): readonly string[] => bridgeProblems([PART], all()).map(sayBridgeProblem)

describe('the bridge of the containers', () => {
  it('is whatever carries an address of our subnet, but for our own device', () => {
    expect(bridgeOf(PART, all())).toBeUndefined()
    const { index } = bridge('br-pods', '10.15.1.1')
    expect(bridgeOf(PART, all())?.index).toBe(index)
  })

  it('is as it should be with our subnet, and an MTU that fits; one that is not there yet, too', () => {
    expect(problems()).toEqual([])
    port(bridge('cni0', '10.15.1.1'))
    expect(problems()).toEqual([])
  })

  it('that has another subnet is named, with the cure: cni0 always', () => {
    bridge('cni0', '10.99.9.1')
    expect(problems()).toEqual([
      expect.stringMatching(
        /^cni0 has 10\.99\.9\.1\/24, which is not in our subnet 10\.15\.1\.0\/24: .* Cure: .*ip link delete cni0/,
      ),
    ])
  })

  it.each(['cni0', 'docker0'])(
    '%s on a subnet of the overlay that is not ours is named, whatever else there is',
    (name) => {
      bridge(name, '10.15.7.1')
      bridge('br-pods', '10.15.1.1')
      expect(problems()).toEqual([expect.stringContaining(`${name} has 10.15.7.1/24`)])
    },
  )

  it('docker0 on its own subnet is for other containers, unless there are some and nothing carries ours', () => {
    const docker = bridge('docker0', '172.17.0.1')
    expect(problems()).toEqual([])
    port(docker)
    expect(problems()).toEqual([expect.stringMatching(/^docker0 has 172\.17\.0\.1\/24.*Cure: .*flanneld docker-opts/)])
    bridge('cni0', '10.15.1.1')
    expect(problems()).toEqual([])
  })

  it('may have no larger MTU than the smaller of both families’ devices', () => {
    add('flannel-v6.100', undefined, 0, { mtu: 1430 })
    const six: OverlayPart = {
      ...PART,
      family: 6,
      network: prefix('fd00::/48'),
      subnet: prefix('fd00:0:0:1::/64'),
      device: 'flannel-v6.100',
    }
    port(bridge('docker0', '10.15.1.1'), 1450)
    expect(bridgeProblems([PART, six], all()).map(sayBridgeProblem)).toEqual([
      expect.stringContaining('an MTU of 1450, the overlay carries 1430'),
    ])
  })

  it('whose containers have a larger MTU than the overlay is named; that of a bridge without any says nothing', () => {
    const docker = bridge('docker0', '10.15.1.1')
    expect([docker.mtu, problems()]).toEqual([1500, []])
    port(docker, 1450)
    expect(problems()).toEqual([])
    port(docker, 1500)
    expect(problems()).toEqual([
      expect.stringMatching(/^containers on docker0 have an MTU of 1500, the overlay carries 1450\. Cure: /),
    ])
  })
})
