import { expect, test } from 'vitest'
import { waitFor, type LabHost } from '../../lab/index.ts'
import { useLab } from '../../lab/use-lab.ts'

/*
 * All agents start again with another configuration: what the former one has left on their hosts is to be in nobody's way. Reservations
 * say who gets which subnet, so that what is in the way is so each time.
 */

const lab = useLab({ hosts: 2 })

/** @param keys of the two hosts' leases in etcd: `10.64.16.0-24` */
async function startAgainWith(config: object, keys: readonly [string, string]): Promise<void> {
  const { hosts } = lab()
  await Promise.all(hosts.filter(({ agent }) => agent.isRunning).map(({ agent }) => agent.stop()))
  await lab().etcdctl('del', '--prefix', '/coreos.com/network/subnets/')
  await lab().putConfig({ Network: '10.64.0.0/16', IPv6Network: 'fd00:64::/48', ...config })
  for (const [at, { address: PublicIP, address6: PublicIPv6 }] of hosts.entries())
    await lab().putLease(keys[at] ?? '', JSON.stringify({ PublicIP, PublicIPv6 }))
  for (const { agent } of hosts) agent.start()
  await Promise.all(hosts.map((host, at) => takesSubnet(host, keys[at] ?? '')))
}

/** One agent after the other, while the others go on as before. */
async function startAgainInTurn(config: object, keys: readonly [string, string]): Promise<void> {
  await lab().putConfig({ Network: '10.64.0.0/16', ...config })
  for (const [at, { address: PublicIP }] of lab().hosts.entries())
    await lab().putLease(keys[at] ?? '', JSON.stringify({ PublicIP }))
  for (const [at, host] of lab().hosts.entries()) {
    await host.agent.stop()
    host.agent.start()
    await takesSubnet(host, keys[at] ?? '')
  }
}

const NEW_FILE = (key: string): RegExp => new RegExp(`^FLANNEL_SUBNET=${key.replace(/0-(\d+).*/, '1/$1')}$`, 'm')

/** Waits until the host says that it has the subnet, and gives it the addresses that containers' bridge would have. */
async function takesSubnet(host: LabHost, key: string): Promise<void> {
  await waitFor(`${host.name} to have ${key}`, async () =>
    NEW_FILE(key).test((await host.place.attempt('cat', ['/run/flannel/subnet.env'])).stdout),
  )
  await host.place.ipBatch([
    'address flush dev lo scope global',
    ...(await gateways(host)).map((address) => `address add ${address} dev lo`),
  ])
}

/** The addresses of the containers' bridge, of both families. */
async function gateways(host: LabHost): Promise<readonly string[]> {
  const { bridgeAddress, ipv6 } = await host.ready()
  return [bridgeAddress, ipv6?.bridgeAddress ?? '']
    .filter((text) => text !== '')
    .map((text) => text.split('/')[0] ?? '')
}

/** Waits until each reaches the other's containers in every family, as a container would. */
async function reachEachOther(): Promise<void> {
  for (const [from, to] of [lab().hosts, lab().hosts.toReversed()]) {
    if (from === undefined || to === undefined) throw new Error('not two hosts')
    const [sources, targets] = [await gateways(from), await gateways(to)]
    for (const [at, target] of targets.entries())
      await waitFor(
        `${from.name} to reach ${target}`,
        async () => {
          const path = ['-I', sources[at] ?? '', target]
          return (await from.place.attempt('ping', ['-n', '-c', '1', '-W', '1', ...path])).code === 0
        },
        { deadlineMs: 5_000 },
      )
  }
}

/** What of any overlay stands on a host: its devices, and over which link routes of ours lead to how many subnets. */
async function standing({ place }: LabHost): Promise<unknown> {
  const links = await place.ip('link', 'show', 'type', 'vxlan')
  const ours = ['route', 'show', 'proto', '70']
  const routes = [...(await place.ip('-4', ...ours)), ...(await place.ip('-6', ...ours))]
  return { devices: links.map(({ ifname }) => ifname), routes: routes.map(({ dev }) => dev) }
}

async function nothingElseStands(devices: readonly string[], routes: readonly string[]): Promise<void> {
  for (const host of lab().hosts)
    await waitFor(`nothing else to stand on ${host.name}`, async () => {
      expect(await standing(host)).toEqual({ devices, routes })
      return true
    })
}

const vxlan = (VNI: number, more: object = {}): object => ({ Backend: { Type: 'vxlan', VNI, ...more } })

test("former: another VNI together with another SubnetLen: the device whose address is a peer's gateway goes", async () => {
  await startAgainWith({ SubnetLen: 22, ...vxlan(1) }, ['10.64.32.0-22', '10.64.16.0-22'])
  await reachEachOther()
  await startAgainWith({ SubnetLen: 24, ...vxlan(2) }, ['10.64.16.0-24', '10.64.32.0-24'])
  await reachEachOther()
  await nothingElseStands(['flannel.2'], ['flannel.2'])
})

test('former: a device whose routes have longer prefixes goes', async () => {
  await startAgainWith({ SubnetLen: 20, ...vxlan(1) }, ['10.64.16.0-20', '10.64.32.0-20'])
  await reachEachOther()
  await nothingElseStands(['flannel.1'], ['flannel.1'])
})

test('former: agents that start again one after the other end as those that start at once', async () => {
  await startAgainInTurn({ SubnetLen: 24, ...vxlan(2) }, ['10.64.16.0-24', '10.64.32.0-24'])
  await reachEachOther()
  await nothingElseStands(['flannel.2'], ['flannel.2'])
})

test('former: a device that keeps the new one from its port goes before it', async () => {
  await startAgainWith({ SubnetLen: 20, ...vxlan(3, { GBP: true }) }, ['10.64.16.0-20', '10.64.32.0-20'])
  await reachEachOther()
  await nothingElseStands(['flannel.3'], ['flannel.3'])
})

test('former: another type of backend, one family more and one less: nothing stays', async () => {
  await startAgainWith({ SubnetLen: 22, EnableIPv6: true, ...vxlan(4, { DirectRouting: true }) }, [
    '10.64.32.0-22&fd00:64:0:2::-64',
    '10.64.16.0-22&fd00:64:0:1::-64',
  ])
  await reachEachOther()
  await nothingElseStands(['flannel.4', 'flannel-v6.4'], ['eth0', 'eth0'])
  await startAgainWith({ SubnetLen: 24, EnableIPv6: true, ...vxlan(5) }, [
    '10.64.16.0-24&fd00:64:0:1::-64',
    '10.64.32.0-24&fd00:64:0:2::-64',
  ])
  await reachEachOther()
  await nothingElseStands(['flannel.5', 'flannel-v6.5'], ['flannel.5', 'flannel-v6.5'])
  await startAgainWith({ SubnetLen: 22, Backend: { Type: 'host-gw' } }, ['10.64.32.0-22', '10.64.16.0-22'])
  await reachEachOther()
  await nothingElseStands([], ['eth0'])
  await startAgainWith({ SubnetLen: 24, Backend: { Type: 'alloc' } }, ['10.64.16.0-24', '10.64.32.0-24'])
  await nothingElseStands([], [])
})
