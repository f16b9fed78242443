import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prefixContains } from '../../src/net/prefix.ts'
import { ip } from '../../src/net/ip.ts'
import { exitOf } from '../lab/command.ts'
import { waitFor, type LabHost } from '../lab/index.ts'
import { parseObject, textAt } from '../lab/json.ts'
import { ADDRESSES, heldAddresses, NETCONF, Pod, SAVED } from './pod.ts'
import { CONFIG, DEVICE6, DUAL, useLab } from '../lab/use-lab.ts'

describe('pods that are attached by the CNI plugin', () => {
  const lab = useLab({ hosts: 2 }, async (fresh) => {
    await fresh.putConfig(CONFIG)
    await fresh.startAgents()
    for (const host of fresh.hosts) await Pod.install(host)
  })
  const pods: Pod[] = []
  const podOn = async (host: LabHost): Promise<Pod> => {
    const pod = await Pod.create(host)
    pods.push(pod)
    return pod
  }

  beforeAll(async () => {
    for (const host of lab().hosts) for (let each = 0; each < 2; each++) await (await podOn(host)).add()
  })
  afterAll(() => Promise.all(pods.map((pod) => pod.close())))

  test('have addresses of their host’s subnet and reach each other, on both hosts', async () => {
    const made = [...pods]
    for (const pod of made) {
      const { subnet } = await pod.host.ready()
      expect(prefixContains(subnet, ip(pod.address))).toBe(true)
    }
    for (const from of made)
      for (const to of made) expect(await from.ping(to.address)).toEqual({ sent: 3, received: 3 })
  })

  test('have the MTU of the overlay and a route to all of it', async () => {
    const [pod] = pods
    const { bridgeAddress } = await lab().host(0).ready()
    expect(await pod?.place.ip('link', 'show', 'eth0')).toMatchObject([{ mtu: 1450 }])
    expect(await pod?.place.exec('ip', ['route', 'show', '10.0.0.0/8'])).toContain(
      `10.0.0.0/8 via ${bridgeAddress.replace(/\/.*/, '')} dev eth0`,
    )
  })

  test('are found in order by CHECK, until their address is gone', async () => {
    const pod = await podOn(lab().host(0))
    await pod.add()
    const conf = { ...NETCONF, prevResult: pod.result }
    expect(await pod.call('CHECK', conf)).toMatchObject({ code: 0, stdout: '' })
    await pod.place.exec('ip', ['address', 'flush', 'dev', 'eth0'])
    const { code, stdout } = await pod.call('CHECK', conf)
    expect(code).not.toBe(0)
    expect(textAt(parseObject(stdout), 'msg')).toContain(pod.address)
    await pod.call('DEL')
  })

  test.each([
    ['', [] as readonly string[]],
    [', also without a subnet file', ['rm', '/run/copy.env']],
    [', also without what was saved', ['rm', '-r', SAVED]],
  ])('give their address back when they are deleted%s', async (_, [command = 'true', ...args]) => {
    const host = lab().host(0)
    await host.place.exec('cp', ['/run/flannel/subnet.env', '/run/copy.env'])
    const conf = { ...NETCONF, subnetFile: '/run/copy.env' }
    const pod = await podOn(host)
    const before = await heldAddresses(host)
    await pod.add(conf)
    expect(await heldAddresses(host)).toEqual([...before, pod.address].sort())
    await host.place.exec(command, args)
    for (let round = 0; round < 2; round++) expect(await pod.call('DEL', conf)).toMatchObject({ code: 0, stdout: '' })
    expect(await heldAddresses(host)).toEqual(before)
    expect(await pod.place.ip('link')).toHaveLength(1)
    expect((await host.place.attempt('ls', [`${SAVED}/${pod.id}`])).code).not.toBe(0)
  })

  test('are added and deleted many at a time, each with its own address', async () => {
    const host = lab().host(1)
    const before = await heldAddresses(host)
    const many = await Promise.all(Array.from({ length: 12 }, () => podOn(host)))
    await Promise.all(many.map((pod) => pod.add()))
    expect(new Set(many.map((pod) => pod.address)).size).toBe(many.length)
    await Promise.all(many.map((pod) => pod.call('DEL')))
    expect(await heldAddresses(host)).toEqual(before)
  })

  test('leave no delegate behind when the plugin is told to stop', async () => {
    const host = lab().host(0)
    const shell = (script: string) => host.place.attempt('sh', ['-c', script])
    await shell(`mkdir /run/slow; printf '#!/bin/sh\\necho $$ > /run/slow/pid; exec sleep 4321\\n' > /run/slow/bridge
      chmod +x /run/slow/bridge; printf '%s' '${JSON.stringify(NETCONF)}' > /run/slow/conf`)
    const pod = await podOn(host)
    const command = `exec env ${pod.environment('ADD', '/run/slow').join(' ')} /run/cni/bin/flannel`
    const plugin = host.place.start('/dev/null', 'sh', ['-c', `${command} < /run/slow/conf > /run/slow/answer`])
    const ended = exitOf(plugin)
    await waitFor('the delegate', async () => (await shell('kill -0 $(cat /run/slow/pid)')).code === 0)
    plugin.kill('SIGTERM')
    expect(await ended).toEqual({ code: 1, signal: null })
    expect((await shell('kill -0 $(cat /run/slow/pid)')).code).not.toBe(0)
    expect(parseObject((await shell('cat /run/slow/answer')).stdout)).toMatchObject({
      code: 999,
      msg: 'flannel: the delegate bridge was ended by SIGTERM',
    })
    await pod.call('DEL')
  })

  test('hold as many addresses as there are', async () => {
    const all = await Promise.all(lab().hosts.map(heldAddresses))
    expect(all.map((held) => held.length)).toEqual([2, 2])
    expect(ADDRESSES).toContain(NETCONF.name)
  })
})

describe('pods of both address families', () => {
  const pods: Pod[] = []
  useLab({ hosts: 2 }, async (fresh) => {
    await fresh.putConfig(DUAL)
    await fresh.startAgents()
    for (const host of fresh.hosts) {
      await waitFor('the peer', async () => (await host.peerTables(DEVICE6, 6)).routes.length === 1)
      await Pod.install(host)
      pods.push(await Pod.create(host))
    }
    await Promise.all(pods.map((pod) => pod.add()))
  })
  afterAll(() => Promise.all(pods.map((pod) => pod.close())))

  test('have an address of each subnet of their host, the MTU that fits both, and both networks as routes', async () => {
    for (const { host, place, addresses } of pods) {
      const { subnet, ipv6, bridgeAddress } = await host.ready()
      const [gateway, gateway6] = [bridgeAddress, ipv6?.bridgeAddress].map((text) => text?.replace(/\/.*/, ''))
      expect(
        [subnet, ipv6?.subnet].map((range, at) => range && prefixContains(range, ip(addresses[at] ?? ''))),
      ).toEqual([true, true])
      expect(await place.ip('link', 'show', 'eth0')).toMatchObject([{ mtu: 1430 }])
      expect(await place.ip('route', 'show', DUAL.Network)).toMatchObject([{ gateway, dev: 'eth0' }])
      expect(await place.ip('-6', 'route', 'show', DUAL.IPv6Network)).toMatchObject([
        { gateway: gateway6, dev: 'eth0' },
      ])
    }
  })

  test('reach each other in both families, across hosts', async () => {
    for (const from of pods)
      for (const to of pods.filter((pod) => pod !== from)) {
        expect(to.addresses).toHaveLength(2)
        for (const address of to.addresses) expect(await from.ping(address)).toEqual({ sent: 3, received: 3 })
      }
  })

  test('give both addresses back when they are deleted', async () => {
    for (const pod of pods) {
      expect(await heldAddresses(pod.host)).toEqual([...pod.addresses].sort())
      expect(await pod.call('DEL')).toMatchObject({ code: 0, stdout: '' })
      expect(await heldAddresses(pod.host)).toEqual([])
      expect(await pod.place.ip('link')).toHaveLength(1)
    }
  })
})
