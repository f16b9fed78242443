import { expect, test } from 'vitest'
import { fails, SUBNET_FILE, waitFor } from '../lab/index.ts'
import { says } from '../lab/log.ts'
import { AGENT } from '../lab/program.ts'
import { bringUp, CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'

const lab = useLab({ hosts: 2, agentCommand: [...AGENT, '--ip-masq', '--iptables-resync=1'] }, bringUp)

const withBackend = (fields: object): object => ({ ...CONFIG, Backend: { ...CONFIG.Backend, ...fields } })

/** What could change on a host, read with other people's tools. */
async function stateOf(at: number): Promise<unknown> {
  const host = lab().host(at)
  const file = await host.place.exec('cat', [SUBNET_FILE])
  return { file, link: await host.link(DEVICE), tables: await host.peerTables(DEVICE), leases: await lab().leases() }
}

test('another MTU is followed by device and subnet file while packets flow, and nothing is written to etcd', async () => {
  const [from, to] = lab().hosts.flatMap(({ containers }) => containers)
  const pings = from?.pingStream(to?.address ?? '')
  await pings?.progress()
  const before = await lab().revision()
  await lab().putConfig(withBackend({ MTU: 1400 }))
  for (const host of lab().hosts) {
    await waitFor('the device', async () => (await host.link(DEVICE))?.mtu === 1350)
    await waitFor('the file', async () => (await host.place.exec('cat', [SUBNET_FILE])).includes('FLANNEL_MTU=1350\n'))
  }
  await pings?.progress()
  expect((await pings?.stop())?.lost).toEqual([])
  expect(await lab().revision()).toBe(before + 1)
  const host = lab().host(0)
  await says(host, /Backend\.MTU changed in the configuration/)
})

test('another tool for the firewall takes over, and the rules of the one before go', async () => {
  const { place } = lab().host(0)
  const listed = async (command: string, args: readonly string[]): Promise<string> =>
    (await place.attempt(command, args)).stdout
  const nftables = (): Promise<string> => listed('nft', ['list', 'table', 'ip', 'flannel-ipv4'])
  const iptables = (): Promise<string> => listed('iptables-save', ['-t', 'nat'])
  await waitFor('the rules of iptables', async () => (await iptables()).includes('FLANNEL-POSTRTG'))
  await lab().putConfig({ ...withBackend({ MTU: 1400 }), EnableNFTables: true })
  await waitFor('the rules of nftables', async () => (await nftables()).includes('masquerade'))
  await waitFor('those of iptables to be gone', async () => !(await iptables()).includes('MASQUERADE'))
  await lab().putConfig(withBackend({ MTU: 1400 }))
  await waitFor('the rules of iptables again', async () => (await iptables()).includes('MASQUERADE'))
})

test('what cannot be followed, what is invalid and what is gone is said once, and nothing changes until the next start', async () => {
  const host = lab().host(0)
  const before = await stateOf(0)
  await lab().putConfig(withBackend({ MTU: 1400, VNI: 101 }))
  await fails(host, 'network configuration', /Backend\.VNI changed; applied at the next start/)
  await says(host, /Backend\.VNI changed in the configuration; applied at the next start inForce=100 then=101/)
  await lab().putConfig('{"Network":')
  await fails(host, 'network configuration', /JSON/)
  await says(host, /has become invalid, the one in force stays: .*JSON/)
  await lab().etcdctl('del', '/coreos.com/network/config')
  await fails(host, 'network configuration', /was deleted/)
  await says(host, /was deleted; the one in force stays/)
  await lab().putConfig(withBackend({ VNI: 101 }))
  await says(host, /Backend\.MTU changed in the configuration from=1400 to=unset/)
  await lab().putConfig(withBackend({ MTU: 1400, VNI: 101 }))
  await waitFor('the device', async () => (await lab().host(0).link(DEVICE))?.mtu === 1350)
  await waitFor('the file', async () => JSON.stringify(await stateOf(0)) === JSON.stringify(before))
  for (const { agent } of lab().hosts) {
    await agent.stop()
    agent.start()
  }
  for (const host of lab().hosts)
    await waitFor('the other VNI', async () => (await host.peerTables('flannel.101')).routes.length === 1)
  const [from, to] = lab().hosts.flatMap(({ containers }) => containers)
  await waitFor('a ping', async () => (await from?.ping(to?.address ?? '', { count: 1 }))?.received === 1)
})
