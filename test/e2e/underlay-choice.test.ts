import { beforeEach, describe, expect, test } from 'vitest'
import { SUBNET_FILE, type Lab } from '../lab/index.ts'
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
