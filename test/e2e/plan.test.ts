import { describe, expect, test } from 'vitest'
import type { Outcome } from '../lab/command.ts'
import { SUBNET_FILE, waitFor, type LabHost } from '../lab/index.ts'
import { ping } from '../lab/ping.ts'
import { agentCall } from '../lab/program.ts'
import { bringUp, CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'
import { difference, everything } from './whole-host.ts'

const containing = (text: string): unknown => expect.stringContaining(text)

describe('flanneld plan', () => {
  const lab = useLab({ hosts: 3 }, bringUp)

  const FLAGS = ['--iface=eth0', '--ip-masq']

  const plan = (host: LabHost, flags: readonly string[], input = ''): Promise<Outcome> =>
    host.place.attempt(...agentCall('plan', ...flags), { input })

  test('of a host whose agent has stopped prints what the agent would do; a shell does it, and then there is nothing left', async () => {
    const [host, peer] = [lab().host(0), lab().host(1)]
    const flags = [`--etcd-endpoints=${lab().etcd.endpoints.join(',')}`, ...FLAGS]
    await host.agent.stop()
    host.agent.start(FLAGS)
    const masquerades = async (): Promise<boolean> =>
      (await host.subnetFile())?.variables.get('FLANNEL_IPMASQ') === 'true'
    await waitFor('everything to stand', masquerades)
    await host.agent.stop()
    const whole = await everything(host)
    const nothing = await plan(host, flags)
    expect([nothing.code, nothing.stdout]).toEqual([0, containing('nothing to change')])

    const { subnet } = await peer.ready()
    const base = subnet.base.text
    await host.place.exec('sh', [
      '-ec',
      `ip neighbour delete ${base} dev ${DEVICE}
       bridge fdb flush dev ${DEVICE} 2>/dev/null || true
       ip route delete ${subnet.text}
       ip link set dev ${DEVICE} mtu 1300 down
       ip route add 10.98.0.0/20 via ${host.address} dev eth0 proto 70
       iptables -F FLANNEL-FWD
       rm ${SUBNET_FILE}`,
    ])
    const broken = await everything(host)
    const found = await plan(host, flags)
    expect(found).toMatchObject({ code: 1, stderr: '' })
    expect(await everything(host)).toEqual(broken)
    expect(found.stdout).toMatch(
      new RegExp(`^ip neighbour replace ${base} lladdr \\S+ dev ${DEVICE} nud permanent$`, 'm'),
    )
    expect(found.stdout).toContain('iptables-restore')
    expect(found.stdout).not.toContain('note:')

    await host.place.exec('sh', ['-ec', found.stdout])
    await host.place.attempt('sh', ['-c', found.stdout]) // once more does no harm
    expect(await plan(host, flags)).toMatchObject({ code: 0, stderr: '' })
    expect(difference(await everything(host), whole)).toEqual([])
    const [from, to] = [host, peer].map(({ containers: [first] }) => first)
    expect(from === undefined || to === undefined ? 0 : (await ping(from.place, to.address)).received).toBeGreaterThan(
      0,
    )
  })

  test('names the route of somebody else that packets to a peer follow, though there is nothing to change', async () => {
    const host = lab().host(2)
    const { subnet } = await lab().host(1).ready()
    const theirs = `${subnet.base.text}/25 via ${lab().host(0).address}`
    await host.place.exec('ip', ['route', 'add', ...theirs.split(' ')])
    const { code, stdout } = await plan(host, [])
    await host.place.exec('ip', ['route', 'del', ...theirs.split(' ')])
    expect({ code, stdout }).toEqual({ code: 0, stdout: containing(`follow ${theirs} dev eth0`) })
    expect(stdout).toMatch(/^# nothing to change$/m)
  })

  test('of a configuration not yet put says what becomes of it, by the flags of the agent that runs, and writes nothing', async () => {
    const host = lab().host(2)
    const leases = await lab().leases()
    const before = await everything(host)
    const next = { ...CONFIG, SubnetMax: '10.10.0.0', Backend: { ...CONFIG.Backend, VNI: 7 } }
    const { code, stdout } = await plan(host, ['--config=-'], JSON.stringify(next))
    expect(code).toBe(1)
    for (const text of [
      'agents that run follow at once: SubnetMax from 10.99.0.0 to 10.10.0.0',
      'until they are started again: Backend.VNI from 100 to 7',
      'leases would lie outside',
      'ip link add flannel.7 ',
      'ip link delete dev flannel.100',
    ])
      expect(stdout, stdout).toContain(text)
    expect(await everything(host)).toEqual(before)
    expect(await lab().leases()).toEqual(leases)
  })

  test('beside it: leases, config, reserve and release ask the etcd of the agent that runs, and change just what they say', async () => {
    const [host, peer] = [lab().host(1), lab().host(2)]
    const run = async (words: readonly string[], input = ''): Promise<Outcome & { readonly all: string }> => {
      const outcome = await host.place.attempt(...agentCall(...words), { input })
      return { ...outcome, all: outcome.stdout + outcome.stderr }
    }
    const before = await run(['leases'])
    expect([before.code, before.stderr]).toEqual([0, ''])
    expect(before.stdout).toMatch(/^3 leases, in \/coreos\.com\/network in etcd http/)
    expect(before.stdout.match(/\(this host\)/g)).toHaveLength(1)

    const reserve = ['reserve', '10.20.0.0/20', '--public-ip=192.168.205.99']
    expect(await run(reserve)).toMatchObject({ code: 0, stderr: '' })
    expect(await run(reserve)).toMatchObject({ code: 1, stdout: '' })
    expect((await run(['leases'])).stdout).toMatch(/^10\.20\.0\.0\/20 .* never /m)
    expect(await run(['release', '10.20.0.0/20'])).toMatchObject({ code: 0, stderr: '' })
    expect((await run(['leases', '--json'])).stdout).not.toContain('10.20.0.0')
    const { subnet } = await peer.ready()
    const kept = await run(['release', subnet.text])
    expect([kept.code, kept.stderr]).toEqual([1, containing('its holder lives: node host2')])
    expect((await run(['release'])).stderr).toMatch(/another flanneld \(pid \d+\) runs in this network namespace/)

    const next = `${JSON.stringify({ ...CONFIG, Backend: { ...CONFIG.Backend, DirectRouting: true } }, undefined, 2)}\n`
    const typo = await run(['config', 'set', '--yes', '-'], next.replace('DirectRouting', 'DirectRoute'))
    expect([typo.code, typo.stderr]).toEqual([1, containing('is Backend.DirectRouting meant?')])
    expect(await run(['config', 'validate', '-'], next.replace('vxlan', 'wireguard'))).toMatchObject({ code: 2 })
    expect((await run(['config', 'diff', '-'], next)).stdout).toMatch(
      /follow at once: Backend\.DirectRouting from false/,
    )
    const set = await run(['config', 'set', '--yes', '-'], next)
    expect([set.code, set.stdout]).toEqual([0, containing('To undo:')])
    const stored = await lab().etcd.etcdctl(['get', '--print-value-only', '/coreos.com/network/config'])
    expect(stored).toBe(`${next}\n`)
    expect(await run(['config', 'diff', '-'], next)).toMatchObject({ code: 0 })
    expect((await run(['config', 'get'])).stdout).toMatch(/Backend\.GBP +false \(default\)/)

    const away = await run(['leases', '--etcd-endpoints=http://192.168.205.2:1'])
    expect([away.code, away.stderr]).toEqual([1, containing('nothing listens there (ECONNREFUSED)')])
    const empty = await run(['leases', '--etcd-prefix=/typo'])
    expect([empty.code, empty.stderr]).toEqual([1, containing('is it the right one')])
  })
})
