import { beforeEach, describe, expect, test } from 'vitest'
import { SUBNET_FILE, type Lab } from '../lab/index.ts'
import { forwards, HEALTH_FLAGS } from '../lab/health.ts'
import { leaseOf } from '../lab/expected-tables.ts'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'

/** Of the second card: one in each of two networks. */
const [FIRST, SECOND] = ['192.168.206.10', '192.168.207.10'] as const
/** Reached through the second card's second network, though that address is not the first on the card. */
const FAR = '203.0.113.9'

/** Gives the host a second card beside eth0, through which etcd and the default route are reached. */
async function addSecondCard(lab: Lab): Promise<void> {
  const { place } = lab.host(0)
  await lab.underlay.place.ipBatch([
    `link add second type veth peer name eth1 netns ${place.pid}`,
    'link set second up',
  ])
  await place.ipBatch([
    ...[FIRST, SECOND].map((address) => `address add ${address}/24 dev eth1`),
    'link set eth1 up',
    `route add ${FAR} via 192.168.207.1 dev eth1 src ${SECOND}`,
  ])
}

describe('the underlay of a host with two cards', () => {
  const lab = useLab({ hosts: 1 }, async (made) => {
    await made.putConfig(CONFIG)
    await addSecondCard(made)
  })

  beforeEach(async () => {
    const { agent, place } = lab().host(0)
    if (agent.isRunning) await agent.stop()
    await place.exec('rm', ['-f', SUBNET_FILE])
    await lab().deleteLeases('1', '2') // all: each run begins as the first
  })

  const start = (...flags: readonly string[]): void => {
    lab()
      .host(0)
      .agent.startWith([`--etcd-endpoints=${lab().etcd.endpoints.join(',')}`, ...flags])
  }

  test.each([
    ['is the card that --iface-regex names', ['-iface-regex=^eth[1-9]$'], 'eth1', FIRST],
    ['is matched as in Go', ['-iface-regex', '(?i)^ETH1$'], 'eth1', FIRST],
    ['has the address that --iface-regex fits', [String.raw`--iface-regex=^192\.168\.207\.`], 'eth1', SECOND],
    ['is --iface before --iface-regex', ['--iface-regex=eth1', '--iface=eth0'], 'eth0', '192.168.205.10'],
    [
      'reaches the address of --iface-can-reach, from where the kernel does',
      [`-iface-can-reach=${FAR}`],
      'eth1',
      SECOND,
    ],
    [
      'is found by --iface-can-reach when no expression fits',
      ['--iface-regex=^wlan', `--iface-can-reach=${FAR}`],
      'eth1',
      SECOND,
    ],
  ])('%s', async (_, flags, card, address) => {
    start(...flags)
    const host = lab().host(0)
    const { publicIp } = await leaseOf(lab(), host)
    expect(publicIp).toBe(address)
    expect((await host.link(DEVICE))?.vxlan).toMatchObject({ local: address, underlay: card })
  })
})

describe('hosts whose addresses stand on lo, with routes to each other', () => {
  const lab = useLab({ hosts: 2 }, async (made) => {
    await made.putConfig(CONFIG)
    for (const [at, host] of made.hosts.entries()) {
      const other = made.host(1 - at)
      await host.place.ipBatch([
        `address add 10.255.0.${at + 1}/32 dev lo`,
        'link set eth0 mtu 1400',
        `route add 10.255.0.${2 - at}/32 via ${other.address} dev eth0 src 10.255.0.${at + 1}`,
      ])
      host.agent.startWith([`--etcd-endpoints=${made.etcd.endpoints.join(',')}`, '--iface=lo', ...HEALTH_FLAGS])
    }
  })

  test('reach each other’s containers, with the MTU of the card between them', async () => {
    const [first, second] = [lab().host(0), lab().host(1)]
    for (const host of [first, second]) await forwards(host)
    expect((await leaseOf(lab(), first)).publicIp).toBe('10.255.0.1')
    const link = await first.link(DEVICE)
    expect(link).toMatchObject({ mtu: 1350, vxlan: { local: '10.255.0.1' } })
    const [from, to] = [await first.addContainer(), await second.addContainer()]
    const large = ['-c1', '-W2', '-M', 'do', '-s', `${1350 - 20 - 8}`, to.address]
    expect((await from.place.attempt('ping', large)).code).toBe(0)
  })
})
