import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'
import { outcomeOf } from '../lab/command.ts'
import { waitFor } from '../lab/index.ts'
import { objectsAt, parseObject, textAt, textsAt } from '../lab/json.ts'
import { SystemdMachine } from './systemd-machine.ts'

const UNIT = 'flanneld.service'
const FORWARDING = 'net.ipv4.ip_forward'
const DROP_IN = `systemd/system/${UNIT}.d/test.conf`
/** linux/capability.h */
const CAPABILITY_BITS: Readonly<Record<string, bigint>> = {
  CAP_DAC_READ_SEARCH: 2n,
  CAP_NET_ADMIN: 12n,
  CAP_NET_RAW: 13n,
}
/** Some seconds of a restart and of whatever systemd waits for before it. */
const RESTART = { deadlineMs: 30_000 }

/** Said by the setup of this project, which tries what a systemd needs. */
const hindrance = process.env['FLANNEL_NO_SYSTEMD']

describe.skipIf(hindrance !== undefined)('the unit flanneld.service, under a real systemd', () => {
  const lab = useLab({ hosts: 2 })
  let folder = ''
  let machine: SystemdMachine

  const flags = (...more: readonly string[]): string =>
    `FLANNELD_OPTS=--etcd-endpoints=${lab().etcd.endpoints.join(',')} -iface=eth0 ${more.join(' ')}\n`
  const show = (property: string): Promise<string> => machine.show(UNIT, property)
  const mainPid = async (): Promise<number> => Number(await show('MainPID'))
  const isState = async (state: string): Promise<boolean> => (await show('ActiveState')) === state
  const setForwarding = (value: 0 | 1): Promise<string> =>
    machine.host.place.exec('sysctl', ['-qw', `${FORWARDING}=${value}`])
  const signal = (name: string, pid: number): Promise<string> => machine.place.exec('kill', [`-${name}`, `${pid}`])
  const stream = () => {
    const [from, to] = [lab().host(1).containers[0], lab().host(0).containers[0]]
    if (from === undefined || to === undefined) throw new Error('there are no containers')
    return from.pingStream(to.address)
  }

  /** Waits until another process than this one has said that it is ready. */
  const restarted = (before: number): Promise<boolean> => {
    const isBack = async (): Promise<boolean> => ![0, before].includes(await mainPid()) && (await isState('active'))
    return waitFor('the agent to be back', isBack, RESTART)
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'systemd-'))
    machine = new SystemdMachine(lab().host(0), folder)
    await machine.boot()
    await machine.configure('default/flanneld', flags())
  })
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => {
      process.stderr.write((await readFile(machine.logPath, 'utf8')).slice(-4_000))
      process.stderr.write((await machine.journal(UNIT)).slice(-8_000))
    })
  })
  afterAll(async () => {
    await machine.powerOff()
    await rm(folder, { recursive: true, force: true })
  })

  test('counts as started when the subnet file is written; until then its state says what is waited for', async () => {
    await setForwarding(0)
    const starting = outcomeOf(machine.place.line('systemctl', ['start', UNIT, 'docker.service']))
    await waitFor('what is waited for', async () =>
      /^network configuration: .*found nothing/.test(await show('StatusText')),
    )
    expect(await isState('activating')).toBe(true)
    expect(await machine.show('docker.service', 'ActiveState')).toBe('inactive')
    await lab().putConfig(CONFIG)
    expect(await starting).toMatchObject({ code: 0 })
    const file = await machine.host.subnetFile()
    expect(await isState('active')).toBe(true)
    expect(await show('StatusText')).toBe(`${file?.subnet.text ?? 'no file'}, 0 peers, in step`)
    expect(await machine.systemctl('status', UNIT)).toMatch(/Active: active \(running\)[^]*Status: "10\./)
  })

  test('lets the agent turn forwarding on', async () => {
    expect(await machine.host.place.exec('sysctl', ['-n', FORWARDING])).toBe('1\n')
    expect(await machine.journal(UNIT)).toContain(`${FORWARDING} was off, turned on`)
  })

  test('is rated below 3 by systemd-analyze security, and has no rights but to the network and to read', async () => {
    const rating = await machine.place.exec('systemd-analyze', ['security', '--no-pager', UNIT])
    expect(Number(/Overall exposure level for .*: ([\d.]+)/.exec(rating)?.[1])).toBeLessThan(3)
    const status = await machine.place.exec('cat', [`/proc/${await mainPid()}/status`])
    const bits = ['CAP_DAC_READ_SEARCH', 'CAP_NET_ADMIN', 'CAP_NET_RAW'].map((name) => CAPABILITY_BITS[name] ?? 0n)
    expect(BigInt(`0x${/^CapBnd:\s*(\w+)$/m.exec(status)?.[1] ?? ''}`)).toBe(
      bits.reduce((all, bit) => all | (1n << bit), 0n),
    )
    expect(status).toMatch(/^NoNewPrivs:\s*1$[^]*^Seccomp:\s*2$/m)
  })

  test('has warnings in the journal as warnings, and what is well as information', async () => {
    const chosen = (priority: string): Promise<string> =>
      machine.place.exec('journalctl', [
        '--no-pager',
        '--output=cat',
        `--unit=${UNIT}`,
        `--priority=${priority}`,
        '_COMM=flanneld',
      ])
    await machine.host.place.exec('rm', ['/run/flannel/subnet.env'])
    await waitFor('the warning', async () =>
      (await chosen('warning')).includes('the subnet file was changed or removed'),
    )
    const [warnings, all] = [await chosen('warning'), await chosen('info')]
    expect(all).toContain('subnet file written')
    expect(warnings).not.toContain('subnet file written')
    expect(all).not.toMatch(/<\d>/)
  })

  test('has rules in the firewall of the old kind, where that is the one in use', async () => {
    const use = (kind: string): Promise<string> =>
      machine.place.exec('sh', [
        '-c',
        `for of in iptables ip6tables; do for what in '' -save -restore; do ln -sf /usr/sbin/$of-${kind}$what /etc/alternatives/$of$what; done; done`,
      ])
    await use('legacy')
    await machine.configure('default/flanneld', flags('--ip-masq'))
    await machine.systemctl('restart', UNIT)
    const save = (): Promise<string> => machine.place.exec('iptables-legacy-save', ['-t', 'nat'])
    await waitFor('the rules', async () => (await save()).includes('flanneld masq'))
    await use('nft')
    await machine.configure('default/flanneld', flags())
    await machine.place.exec('sh', [
      '-c',
      'for table in nat filter; do iptables-legacy -t $table -F; iptables-legacy -t $table -X; done',
    ])
    await machine.systemctl('restart', UNIT)
  })

  test('comes before Docker, which has the options made of the subnet file', async () => {
    const { bridgeAddress, mtu } = await machine.host.ready()
    expect((await machine.show('docker.service', 'After')).split(' ')).toContain('flannel-docker-opts.service')
    expect((await machine.show('flannel-docker-opts.service', 'After')).split(' ')).toContain(UNIT)
    expect((await show('Before')).split(' ')).toContain('docker.service')
    const started = await machine.place.exec('cat', ['/run/docker-started'])
    expect(started).toContain(`--bip=${bridgeAddress} --ip-masq=true --mtu=${mtu}`)
  })

  test('loses no packet in a restart', async () => {
    lab().host(1).agent.start()
    await lab().host(1).ready()
    for (const host of lab().hosts) {
      await waitFor(`a peer of ${host.name}`, async () => (await host.peerTables(DEVICE)).routes.length === 1)
      await host.addContainer()
    }
    const [pings, before] = [stream(), await mainPid()]
    await pings.progress()
    await machine.systemctl('restart', UNIT)
    expect(await mainPid()).not.toBe(before)
    await pings.progress()
    expect((await pings.stop()).lost).toEqual([])
  })

  test('is started again after kill -9, without a packet lost', async () => {
    const [pings, before] = [stream(), await mainPid()]
    await pings.progress()
    await signal('KILL', before)
    await restarted(before)
    expect(await show('NRestarts')).toBe('1')
    expect((await pings.stop()).lost).toEqual([])
  })

  test('is killed by the watchdog, and started again, when it stands still', async () => {
    await machine.configure(DROP_IN, '[Service]\nWatchdogSec=3\n')
    await machine.systemctl('restart', UNIT)
    const before = await mainPid()
    await signal('STOP', before)
    await restarted(before)
    expect(await machine.journal(UNIT)).toContain('Watchdog timeout (limit 3s)')
  })

  test('lives on under a watchdog for as long as it does not stand still', async () => {
    const [before, restarts] = [await mainPid(), await show('NRestarts')]
    const heard = (): Promise<string> => show('WatchdogTimestampMonotonic')
    const first = Number(await heard())
    await waitFor('signs of life for twice its time', async () => Number(await heard()) > first + 6_000_000, RESTART)
    expect([await mainPid(), await show('NRestarts')]).toEqual([before, restarts])
  })

  test('ends when it is stopped, and leaves device, entries and Docker in place', async () => {
    const pings = stream()
    await pings.progress()
    await machine.systemctl('stop', UNIT)
    expect([await show('ActiveState'), await show('Result'), await show('ExecMainStatus')]).toEqual([
      'inactive',
      'success',
      '0',
    ])
    await pings.progress()
    expect((await pings.stop()).lost).toEqual([])
    const { neighbours, fdb, routes } = await machine.host.peerTables(DEVICE)
    expect([neighbours, fdb, routes].map(({ length }) => length)).toEqual([1, 1, 1])
    expect(await machine.host.subnetFile()).toBeDefined()
    expect(await machine.show('docker.service', 'ActiveState')).toBe('active')
  })

  test('starts where the settings of the kernel cannot be written, if the host forwards already', async () => {
    await machine.configure(DROP_IN, '[Service]\nProtectKernelTunables=yes\n')
    await machine.systemctl('start', UNIT)
    expect(await show('StatusText')).toMatch(/^10\..*, 1 peer, in step$/)
    await machine.systemctl('stop', UNIT)
  })

  test('is not started while the host does not forward and cannot be made to, and says so', async () => {
    await setForwarding(0)
    const starting = outcomeOf(machine.place.line('systemctl', ['start', UNIT]), { timeoutMs: 60_000 })
    await waitFor('the reason', async () => /ip_forward: is not on, and cannot be/.test(await show('StatusText')))
    await waitFor('the subnet file', async () => (await machine.journal(UNIT)).includes('subnet file written'))
    expect(await isState('activating')).toBe(true)
    await setForwarding(1)
    expect(await starting).toMatchObject({ code: 0 })
    await machine.systemctl('stop', UNIT)
  })

  describe('that does not run', () => {
    /** What doctor says first, and its cures. */
    const diagnosis = async (): Promise<{ readonly cause: string | undefined; readonly cure: readonly string[] }> => {
      const { stdout } = await machine.place.attempt('flanneld', ['doctor', '--json'])
      const [first = {}] = objectsAt(parseObject(stdout), 'findings')
      return { cause: textAt(first, 'cause'), cure: textsAt(first, 'cure') }
    }

    test('has no right to change the network, says doctor, and how it is given', async () => {
      await machine.configure(DROP_IN, '[Service]\nCapabilityBoundingSet=\nCapabilityBoundingSet=CAP_NET_RAW\n')
      await machine.place.attempt('systemctl', ['start', UNIT])
      expect(await isState('failed')).toBe(true)
      const { cause, cure } = await diagnosis()
      expect(cause).toBe('agent-without-rights')
      expect(cure[0]).toMatch(
        /\[Service\] AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW and the same in CapabilityBoundingSet=/,
      )
      expect((await machine.place.attempt('flanneld', ['status'])).stdout).toMatch(
        /^host0 is without an agent that answers/,
      )
    })

    test('ends again and again, says doctor, and where its last words are', async () => {
      // what Node begins with, and is killed for at once
      await machine.configure(DROP_IN, '[Service]\nSystemCallFilter=~epoll_create1\nRestartSec=100ms\n')
      await machine.systemctl('start', '--no-block', UNIT)
      await waitFor('some starts', async () => Number(await show('NRestarts')) >= 3, RESTART)
      const { cause, cure } = await diagnosis()
      expect(cause).toBe('agent-crashing')
      expect(cure[0]).toBe('journalctl -u flanneld -n 50 --no-pager')
      await machine.systemctl('stop', UNIT)
      await machine.configure(DROP_IN, '')
    })
  })

  test('is not started again after a mistake on its command line', async () => {
    await machine.configure('default/flanneld', flags('--subnet-file=/run'))
    const { code } = await machine.place.attempt('systemctl', ['start', UNIT])
    expect([code, await show('ActiveState'), await show('ExecMainStatus')]).toEqual([1, 'failed', '2'])
    expect(await machine.journal(UNIT)).toContain('--subnet-file: expected a regular file')
  })
})
