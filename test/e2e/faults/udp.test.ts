import { describe, expect, test } from 'vitest'
import { fails, forwards, isReady, waitFor, type LabHost } from '../../lab/index.ts'
import { says } from '../../lab/log.ts'
import { agentCall } from '../../lab/program.ts'
import { UNDERLAY } from '../../lab/underlay.ts'
import { CONFIG, useLab } from '../../lab/use-lab.ts'
import { hears, saying } from '../probe.ts'
import { containerOf, DEVICE, PATIENTLY, PORT, reaches } from '../udp/scene.ts'

const UDP = { ...CONFIG, Backend: { Type: 'udp' } }
const VXLAN = 'flannel.100'

describe('udp', () => {
  const lab = useLab({ hosts: 2 }, async (made) => {
    await made.putConfig(UDP)
    await made.startAgents()
    await Promise.all(made.hosts.map((host) => host.addContainer()))
  })
  const host = (): LabHost => lab().host(0)

  const both = async (): Promise<void> => {
    await reaches(lab().host(0), lab().host(1))
    await reaches(lab().host(1), lab().host(0))
  }
  const isThere = async (device: string): Promise<boolean> => (await host().link(device)) !== undefined

  test.each([
    ['deleted', ['link', 'delete', DEVICE]],
    ['renamed', ['link', 'set', 'dev', DEVICE, 'down', 'name', 'mine0']],
    ['set down', ['link', 'set', 'dev', DEVICE, 'down']],
    ['given another MTU', ['link', 'set', 'dev', DEVICE, 'mtu', '1000']],
    ['without its address', ['address', 'flush', 'dev', DEVICE]],
    ['without its route', ['route', 'delete', '10.0.0.0/8', 'dev', DEVICE]],
  ])('udp: a device that is %s is as before, and passes packets', async (_, command) => {
    await both()
    await host().place.exec('ip', command)
    await waitFor(
      'the device to be as it was',
      async () => {
        const [link] = await host().place.ip('link', 'show', 'dev', DEVICE)
        expect(link).toMatchObject({ mtu: 1472, flags: expect.arrayContaining(['UP']) as unknown })
        const [addresses] = await host().place.ip('-4', 'address', 'show', 'dev', DEVICE)
        expect(addresses).toMatchObject({ addr_info: [{ prefixlen: 32 }] })
        const routes = await host().place.ip('route', 'show', 'dev', DEVICE)
        expect(routes).toEqual([expect.objectContaining({ dst: '10.0.0.0/8', protocol: '70' })])
        return true
      },
      PATIENTLY,
    )
    await both()
    expect(await isThere('mine0')).toBe(false)
    expect(await host().agent.logOfRun()).not.toContain('left by a former configuration')
  })

  test.each([
    ['deletes', `ip link delete ${DEVICE}`, /deleted; left so for now/],
    ['renames', `ip link set dev ${DEVICE} down name mine0`, /renamed to mine0; left so for now/],
  ])('udp: while somebody %s the device over and over, that is said wherever one looks', async (_, command, reason) => {
    await both()
    const script = host().startScript(`while :; do ${command}; sleep 0.05; done`)
    await fails(host(), `device ${DEVICE}`, reason, PATIENTLY)
    await hears(host(), '/readyz', { status: 503, reasons: saying(reason) }, PATIENTLY.deadlineMs)
    await waitFor(
      'the status to say so',
      async () => reason.test((await host().place.attempt(...agentCall('status'))).stdout),
      PATIENTLY,
    )
    await script.end()
    expect(await host().agent.logOfRun()).toMatch(new RegExp(`device ${DEVICE}: ${reason.source}`))
    await isReady(host(), PATIENTLY)
    await both()
    expect(await isThere('mine0')).toBe(false)
  })

  test('udp: the device goes with its agent, however that ends, and leaves nothing to be cleaned up', async () => {
    for (const end of ['stop', 'kill'] as const) {
      await host().agent[end]()
      if (end === 'stop')
        expect(await host().agent.logOfRun()).toContain('nothing is forwarded until flanneld is started')
      await waitFor('the device to be gone', async () => !(await isThere(DEVICE)))
      const settings = await host().place.exec('sysctl', ['-a', '--pattern', `accept_local|[.]${DEVICE}[.]`])
      expect(settings).toContain('net.ipv4.conf.all.accept_local = 0')
      expect(settings).not.toMatch(/accept_local = 1|flannel/)
      const { stdout } = await host().place.attempt(...agentCall('cleanup', '--dry-run'))
      expect(stdout).not.toContain(DEVICE)
      host().agent.start()
      await isReady(host(), PATIENTLY)
      await both()
    }
  })

  test('udp: of an agent that was killed, its host and its peers say what is so, and the next one takes over', async () => {
    const other = lab().host(1)
    await both()
    const { subnet } = await host().ready()
    const unreachables = async (): Promise<number> => {
      const printed = await other.place.exec('nstat', ['-asz', 'IcmpInDestUnreachs'])
      return Number(/IcmpInDestUnreachs +(\d+)/.exec(printed)?.[1])
    }
    const [before, stream] = [await unreachables(), containerOf(other).pingStream(containerOf(host()).address)]
    await stream.progress()
    await host().agent.kill()
    // the kernel of a host on which nobody has the port says so to whoever sends there
    await waitFor('datagrams to be refused', async () => (await unreachables()) > before, PATIENTLY)
    const here = await host().place.attempt(...agentCall('status'))
    expect(here).toMatchObject({ code: 1, stdout: expect.stringContaining('the kernel holds no overlay') as unknown })
    expect(here.stdout).toContain(subnet.text)
    await waitFor(
      'the peer to be named as unreachable, by an underlay that answers',
      async () => {
        const { stdout } = await other.place.attempt(...agentCall('peers'))
        expect(stdout).toMatch(/host0 .*unreachable .*underlay answers in/)
        return true
      },
      PATIENTLY,
    )
    const trace = await other.place.attempt(...agentCall('trace', host().address))
    expect(trace.stdout.replaceAll(/\s+/g, ' ')).toContain('or no flanneld runs there, which is to carry it')
    host().agent.start()
    await isReady(host(), PATIENTLY)
    await stream.progress()
    await stream.stop()
    expect((await host().ready()).subnet).toEqual(subnet)
    await both()
  })

  test('udp: another address of the underlay is followed, with the flags that all backends have', async () => {
    await host().agent.stop()
    host().agent.start(['--ip-masq', '--ip-blackhole-route'])
    await isReady(host(), PATIENTLY)
    await both()
    const { index: before } = (await host().link(DEVICE)) ?? {}
    await host().setUnderlayAddress(UNDERLAY.address(90))
    await waitFor('the lease to say so', async () =>
      (await lab().leases()).some(({ value }) => value.includes(UNDERLAY.address(90))),
    )
    await both()
    expect((await host().link(DEVICE))?.index).toBe(before)
    await host().setUnderlayAddress(host().address)
    await waitFor('the lease to say so', async () =>
      (await lab().leases()).some(({ value }) => value.includes(host().address)),
    )
    await both()
  })

  test('udp: what is in the way of the device is waited for, and named', async () => {
    const { agent, place } = host()
    await agent.stop()
    const taking = `exec ${process.execPath} -e "require('node:dgram').createSocket('udp4').bind(${PORT})"`
    const script = host().startScript(taking)
    await waitFor('the port to be taken', async () => (await place.exec('ss', ['-uln'])).includes(`:${PORT}`))
    await place.ipBatch([`link add ${DEVICE} type bridge`])
    agent.start()
    await fails(host(), 'device flannel1', /UDP port 8285 of .* is taken by another program; stop it \(ss/)
    await script.end()
    await isReady(host(), PATIENTLY)
    await both()
    await says(host(), /a device named flannel0 exists that is not ours \(bridge\): ours is named flannel1/)
    expect((await host().link('flannel1'))?.mtu).toBe(1472)
    await agent.stop()
    await place.ipBatch([`link delete ${DEVICE}`])
    await place.exec('mount', ['-t', 'tmpfs', 'tmpfs', '/dev/net'])
    agent.start()
    await fails(host(), `device ${DEVICE}`, /\/dev\/net\/tun is not there: load the driver \(modprobe tun\)/)
    await place.exec('umount', ['/dev/net'])
    await isReady(host(), PATIENTLY)
    await both()
  })

  test('udp: to vxlan and back by configuration and restart, nothing of the other is left', async () => {
    for (const [config, own, other] of [[CONFIG, VXLAN, DEVICE] as const, [UDP, DEVICE, VXLAN] as const]) {
      await lab().putConfig(config)
      await Promise.all(lab().hosts.map(({ agent }) => agent.stop()))
      for (const { agent } of lab().hosts) agent.start()
      for (const each of lab().hosts) await forwards(each, PATIENTLY)
      await both()
      await waitFor('the former device to be gone', async () => !(await isThere(other)))
      expect(await isThere(own)).toBe(true)
      expect((await containerOf(host()).ping(containerOf(lab().host(1)).address, { count: 5 })).received).toBe(5)
    }
  })
})
