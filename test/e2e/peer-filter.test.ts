import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fails, forwards, vxlanLease, waitFor, type LabHost } from '../lab/index.ts'
import { says } from '../lab/log.ts'
import { Namespace } from '../lab/namespace.ts'
import { UNDERLAY } from '../lab/underlay.ts'
import { leaseOf, peersAre, readLease } from '../lab/expected-tables.ts'
import { bringUp, CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'

const FLAG = ['--vxlan-peer-filter', '--iptables-resync=1']
const STRANGER = UNDERLAY.address(99)
/** Nodes that come and go: in etcd only. */
const FAKES = [70, 71, 72].map((octet) => ({
  name: `10.${octet}.0.0-20`,
  publicIp: UNDERLAY.address(octet),
  mac: `82:00:00:00:00:${octet}`,
}))
const PACKETS = 5

interface Counted {
  readonly peers: readonly string[]
  readonly drops: number
}

/** The filter's table as `nft` shows it; undefined when there is none. */
async function filterOf({ place }: LabHost): Promise<Counted | undefined> {
  const { code, stdout } = await place.attempt('nft', ['-j', 'list', 'table', 'inet', 'flannel-peers'])
  if (code !== 0) return undefined
  const [, elements = ''] = /"peers4".*?"elem": \[([^\]]*)\]/.exec(stdout) ?? []
  const [, packets = '0'] = /"packets": (\d+)/.exec(stdout) ?? []
  return { peers: Array.from(elements.matchAll(/"([\d.]+)"/g), ([, ip = '']) => ip).sort(), drops: Number(packets) }
}

/** Echo requests that a container has received so far. */
async function requestsSeen({ containers }: LabHost): Promise<number> {
  const [container] = containers
  const text = (await container?.place.exec('cat', ['/proc/net/snmp'])) ?? ''
  const [names = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith('Icmp:'))
    .map((line) => line.split(' '))
  return Number(values[names.indexOf('InEchos')])
}

describe('a host on the underlay that is no node', () => {
  const lab = useLab({ hosts: 3 }, bringUp)
  let stranger: Namespace | undefined

  /** It has a VXLAN device of the overlay's making, and pretends to be a container of another node. */
  beforeAll(async () => {
    stranger = await Namespace.create('ip link set lo up')
    await lab().underlay.connect('stranger', stranger.pid)
    const { mac, base } = await leaseOf(lab(), lab().host(0))
    const victim = lab().host(0).containers[0]?.address ?? ''
    const pretended = lab().host(1).containers[0]?.address ?? ''
    await stranger.ipBatch([
      `address add ${STRANGER}/${UNDERLAY.prefixLength} dev eth0`,
      'link set eth0 up',
      `link add spoof type vxlan id ${CONFIG.Backend.VNI} dstport ${CONFIG.Backend.Port} local ${STRANGER} remote ${lab().host(0).address} dev eth0 nolearning`,
      `address add ${pretended}/32 dev spoof`,
      'link set spoof up',
      `neighbour replace ${base} lladdr ${mac} dev spoof nud permanent`,
      `route add ${victim} via ${base} dev spoof onlink`,
    ])
  })
  afterAll(async () => {
    await lab().underlay.disconnect('stranger')
    await stranger?.close()
  })

  /** Sends echo requests to the victim's container. @returns how many got there */
  const spoof = async (): Promise<number> => {
    const victim = lab().host(0)
    const before = await requestsSeen(victim)
    const to = victim.containers[0]?.address ?? ''
    await stranger?.attempt('ping', ['-n', '-q', '-c', `${PACKETS}`, '-i', '0.02', '-W', '0.5', to])
    return (await requestsSeen(victim)) - before
  }

  const restart = async (host: LabHost, flags: readonly string[]): Promise<void> => {
    await host.agent.stop()
    host.agent.start(flags)
    await forwards(host)
  }

  test('gets packets to containers when the filter is off, as it is by default', async () => {
    expect(await filterOf(lab().host(0))).toBeUndefined()
    expect(await spoof()).toBe(PACKETS)
  })

  test('gets nothing in when it is on; what was dropped is counted and said', async () => {
    const host = lab().host(0)
    await restart(host, FLAG)
    const before = await filterOf(host)
    expect(before?.peers).toEqual([lab().host(1).address, lab().host(2).address])
    expect(await spoof()).toBe(0)
    const dropped = ((await filterOf(host))?.drops ?? 0) - (before?.drops ?? 0)
    expect(dropped).toBeGreaterThanOrEqual(PACKETS) // its device has something to say of its own
    const said =
      /a host that is no peer sends to our overlay; its packets are dropped packets=\d+ total=\d+ vni=100 port=8472/
    await says(host, said)
  })

  test('finds no helper in a process or a container of a node with the filter, which is counted and said', async () => {
    const host = lab().host(0)
    const forge = `printf '\\x08\\0\\0\\0\\0\\0\\x64\\0' > /dev/udp/${lab().host(1).address}/${CONFIG.Backend.Port}`
    for (const place of [host.place, host.containers[0]?.place]) await place?.attempt('bash', ['-c', forge])
    const counter = await host.place.exec('nft', ['list', 'counter', 'inet', 'flannel-peers', 'forged'])
    expect(counter).toContain('packets 2 ')
    await says(host, /a process or container of this host sends to peers what only our device may send; .*vni=100/)
    const { received } = (await host.containers[0]?.ping(lab().host(1).containers[0]?.address ?? '')) ?? {}
    expect(received).toBe(3)
  })

  test('costs peers no packet, while others come and go', async () => {
    const host = lab().host(0)
    const [from, to] = [lab().host(1).containers[0], host.containers[0]]
    const stream = from?.pingStream(to?.address ?? '')
    const own = await leaseOf(lab(), host)
    const real = (await lab().leases()).map(readLease).filter(({ publicIp }) => publicIp !== own.publicIp)
    await stream?.progress()
    for (const { name, publicIp, mac } of FAKES) await lab().putLease(name, vxlanLease(publicIp, mac))
    const all = [lab().host(1).address, lab().host(2).address, ...FAKES.map(({ publicIp }) => publicIp)].sort()
    await waitFor('all peers to be let in', async () => {
      expect((await filterOf(host))?.peers).toEqual(all)
      return true
    })
    for (const { name } of FAKES) await lab().deleteLease(name)
    await peersAre(host, real)
    await waitFor('those that went to be kept out', async () => (await filterOf(host))?.peers.length === 2)
    await stream?.progress()
    expect((await stream?.stop())?.lost).toEqual([])
  })

  test('is kept out through an outage of etcd and a restart in it, and peers are not', async () => {
    const host = lab().host(0)
    await lab().etcd.member.stop()
    await host.agent.stop()
    host.agent.start(FLAG)
    await fails(host, 'network configuration')
    expect((await filterOf(host))?.peers).toHaveLength(2)
    expect(await spoof()).toBe(0)
    await lab().etcd.restart()
    await forwards(host)
    expect((await filterOf(host))?.peers).toHaveLength(2)
    expect(
      await lab()
        .host(1)
        .containers[0]?.ping(host.containers[0]?.address ?? ''),
    ).toEqual({ sent: 3, received: 3 })
  })

  test('is kept out again when somebody has flushed the rules', async () => {
    const host = lab().host(0)
    await host.place.exec('nft', ['flush', 'ruleset'])
    await waitFor('the filter to be back', async () => (await filterOf(host))?.peers.length === 2)
    expect(await spoof()).toBe(0)
    expect(await host.agent.logOfRun()).toMatch(/peer filter: it is gone, by somebody else; restoring it/)
  })

  test('keeps the agent from forwarding when there is no nft to keep it out with', async () => {
    const host = lab().host(0)
    await host.agent.stop()
    await host.place.exec('ip', ['link', 'delete', DEVICE])
    const nft = (await host.place.exec('sh', ['-c', 'command -v nft'])).trim()
    await host.place.exec('mount', ['--bind', '/dev/null', nft])
    host.agent.start(FLAG)
    const said = /peer filter: .*; nothing is forwarded before it stands/
    expect(await fails(host, 'peer filter')).toMatchObject({ effect: 'unready' })
    await says(host, said)
    expect(await host.link(DEVICE)).toBeUndefined()
    await host.place.exec('umount', ['--lazy', nft])
    await waitFor('the device', () => host.link(DEVICE), { deadlineMs: 30_000 })
  })

  test('gets in again when the filter is turned off', async () => {
    const host = lab().host(0)
    await restart(host, [])
    await waitFor('the filter to go', async () => (await filterOf(host)) === undefined)
    expect(await spoof()).toBe(PACKETS)
  })
})
