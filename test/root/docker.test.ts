import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CONFIG, useLab } from '../lab/use-lab.ts'
import { addressAt, prefixContains } from '../../src/net/prefix.ts'
import { ip } from '../../src/net/ip.ts'
import { outputOf } from '../lab/command.ts'
import { forwards, type Lab } from '../lab/index.ts'
import { DockerDaemon } from './docker-daemon.ts'

const AGENT_FLAGS = ['--ip-masq']
const PINGS = 3

async function prepare(lab: Lab): Promise<void> {
  await lab.putConfig(CONFIG)
  for (const { agent } of lab.hosts) agent.start(AGENT_FLAGS)
  await Promise.all(lab.hosts.map((host) => host.ready()))
}

/** As on a machine where Docker comes up before the agent: it finds forwarding off, switches it on, and drops what nobody accepts. */
async function startFirst(docker: DockerDaemon): Promise<void> {
  const { place, agent } = docker.host
  agent.freeze()
  await place.exec('sysctl', ['-qw', 'net.ipv4.ip_forward=0'])
  await docker.start()
  agent.thaw()
}

describe('Docker on two machines, started with what flanneld docker-opts wrote', () => {
  const lab = useLab({ hosts: 2 }, prepare)
  let folder = ''
  let daemons: readonly DockerDaemon[] = []
  const daemon = (index: number): DockerDaemon => {
    const found = daemons[index]
    if (found === undefined) throw new RangeError(`there is no Docker ${index}`)
    return found
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'docker-'))
    daemons = lab().hosts.map((host) => new DockerDaemon(host, folder))
    await Promise.all(
      daemons.map(async (docker) => {
        await startFirst(docker)
        await docker.importImage()
        await docker.runWeb()
      }),
    )
  })
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => {
      for (const { logPath } of daemons) process.stderr.write((await readFile(logPath, 'utf8')).slice(-4000))
    })
  })
  afterAll(async () => {
    await Promise.all(daemons.map((docker) => docker.stop()))
    await rm(folder, { recursive: true, force: true })
  })

  /** Whether three pings out of three arrive, from each container at the other. */
  const expectPings = async (): Promise<void> => {
    const [first, second] = [daemon(0), daemon(1)]
    for (const [from, to] of [
      [first, second],
      [second, first],
    ] as const) {
      const address = await to.addressOfWeb()
      const text = await from.inWeb('ping', '-c', `${PINGS}`, '-i', '0.1', '-W', '2', address)
      expect(text).toContain(`${PINGS} packets received`)
    }
  }

  test('gives containers addresses of the leased subnet, its first one as gateway, and its MTU', async () => {
    for (const docker of daemons) {
      const file = await docker.host.ready()
      const address = await docker.addressOfWeb()
      expect(prefixContains(file.subnet, ip(address))).toBe(true)
      expect(await docker.inWeb('ip', 'route')).toContain(`default via ${addressAt(file.subnet, 1n).text} dev eth0`)
      expect(await docker.inWeb('ip', 'address', 'show', 'dev', 'eth0')).toMatch(
        new RegExp(`mtu 1450 [^]* inet ${address}/${file.subnet.length} `),
      )
    }
  })

  test('lets containers reach each other, each under its own address, over VXLAN', async () => {
    const capture = await lab().capture()
    await expectPings()
    const addresses = await Promise.all(daemons.map((docker) => docker.addressOfWeb()))
    for (const [index, docker] of daemons.entries())
      await docker.inWeb('wget', '-q', '-O', '-', `http://${addresses[1 - index] ?? ''}/`)
    for (const [index, docker] of daemons.entries())
      expect(new Set(await docker.visitors())).toEqual(new Set([addresses[1 - index]]))
    const pairs = new Set(
      (await capture.stop())
        .filter(({ innerSource }) => addresses.includes(innerSource)) // agents ask each other, too
        .map(({ vni, innerSource, innerDestination }) => `${vni} ${innerSource} ${innerDestination}`),
    )
    expect(pairs).toEqual(new Set([`100 ${addresses.join(' ')}`, `100 ${addresses.toReversed().join(' ')}`]))
  })

  test('drops what nobody accepts, and the agent accepts the overlay', async () => {
    for (const { host } of daemons)
      expect(await host.place.exec('iptables', ['-S', 'FORWARD'])).toContain('-P FORWARD DROP')
    await expectPings()
  })

  test('leaves masquerading to the agent', async () => {
    for (const { host } of daemons)
      expect(await host.place.exec('iptables', ['-t', 'nat', '-S', 'POSTROUTING'])).not.toMatch(/docker0.*MASQUERADE/)
  })

  test('keeps containers connected while an agent is killed, and when it is back', async () => {
    const { host } = daemon(0)
    await host.agent.kill()
    await expectPings()
    host.agent.start(AGENT_FLAGS)
    await forwards(host)
    await expectPings()
  })

  test('gives the same network to its containers after a restart of its own', async () => {
    const [docker, { host }] = [daemon(0), daemon(0)]
    const before = await host.ready()
    await docker.stop()
    await docker.start()
    await docker.docker('start', 'web')
    expect(prefixContains(before.subnet, ip(await docker.addressOfWeb()))).toBe(true)
    await expectPings()
  })

  test('ends with nothing left behind', async () => {
    await Promise.all(daemons.map((docker) => docker.docker('rm', '--force', 'web')))
    await Promise.all(daemons.map((docker) => docker.stop()))
    for (const { host } of daemons) {
      expect(await host.place.exec('cat', ['/proc/mounts'])).not.toMatch(/nsfs|docker/)
      expect(
        (await host.place.ip('link', 'show')).map(({ ifname }) => ifname).filter((name) => /^veth/.test(String(name))),
      ).toEqual([])
    }
    const processes = await outputOf(['ps', '-A', '-o', 'comm='])
    expect(processes).not.toMatch(/dockerd|containerd|runc/)
  })
})
