import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CONFIG, useLab } from '../lab/use-lab.ts'
import { waitFor } from '../lab/index.ts'
import { SystemdMachine } from './systemd-machine.ts'

const UNIT = 'flanneld.service'
const DEADLINE = { deadlineMs: 30_000 }

/** Stands for getty, sshd and whatever else is started for multi-user.target. */
const LOGIN =
  '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n'

/** Waits, as cloud-init's last step does, for the end of the boot. */
const LAST = `[Unit]\nAfter=multi-user.target\n${LOGIN}`

const hindrance = process.env['FLANNEL_NO_SYSTEMD']

describe.skipIf(hindrance !== undefined)('a host that boots while etcd is away', () => {
  const lab = useLab({ hosts: 1 })
  let folder = ''
  let machine: SystemdMachine

  const isActive = async (unit: string): Promise<boolean> => (await machine.show(unit, 'ActiveState')) === 'active'
  /** What systemd does in a boot, without waiting for the end of it. */
  const reach = (target: string): Promise<string> => machine.systemctl('start', '--no-block', target)
  const stopAll = async (): Promise<void> => {
    await machine.systemctl('stop', 'multi-user.target', UNIT, 'docker.service', 'login.service', 'last.service')
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'systemd-'))
    machine = new SystemdMachine(lab().host(0), folder)
    await machine.boot()
    await machine.configure('systemd/system/login.service', LOGIN)
    await machine.configure('systemd/system/last.service', LAST)
    await machine.configure('default/flanneld', `FLANNELD_OPTS=--etcd-endpoints=http://127.0.0.1:9 -iface=eth0\n`)
    await machine.systemctl('enable', UNIT, 'login.service', 'last.service')
  })
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => {
      process.stderr.write((await readFile(machine.logPath, 'utf8')).slice(-4_000))
      process.stderr.write(await machine.systemctl('list-jobs', '--no-pager'))
      process.stderr.write((await machine.journal(UNIT)).slice(-4_000))
    })
  })
  afterAll(async () => {
    await machine.powerOff()
    await rm(folder, { recursive: true, force: true })
  })

  test('comes up to its end, while the agent waits and says for what', async () => {
    await reach('multi-user.target')
    await waitFor('multi-user.target', () => isActive('multi-user.target'), DEADLINE)
    await waitFor('what comes after it', () => isActive('last.service'), DEADLINE)
    await waitFor(
      'the reason',
      async () => /^network configuration: .*127.0.0.1:9/.test(await machine.show(UNIT, 'StatusText')),
      DEADLINE,
    )
    expect(await machine.show(UNIT, 'ActiveState')).toBe('activating')
    await stopAll()
  })

  test('lets people log in while Docker, and the end of the boot with it, waits for the agent', async () => {
    await machine.systemctl('add-wants', 'multi-user.target', 'docker.service')
    await reach('multi-user.target')
    await waitFor('the login', () => isActive('login.service'), DEADLINE)
    await waitFor('the agent', async () => (await machine.show(UNIT, 'ActiveState')) === 'activating', DEADLINE)
    const waiting = await machine.systemctl('list-jobs', '--no-legend', '--no-pager')
    expect(waiting).toMatch(/docker\.service\s+start waiting/)
    expect(waiting).toMatch(/flanneld\.service\s+start running/)
    expect(await isActive('docker.service')).toBe(false)
  })

  test('starts Docker by itself when etcd is there, even if the agent has failed meanwhile', async () => {
    await machine.configure('default/flanneld', `FLANNELD_OPTS=--etcd-endpoints=${lab().etcd.endpoints.join(',')}\n`)
    await machine.systemctl('kill', '--signal=KILL', UNIT)
    const said = (): Promise<string> => machine.journal('flannel-docker-opts.service')
    await waitFor('what is waited for', async () => (await said()).includes('waiting for flanneld to write'), DEADLINE)
    await lab().putConfig(CONFIG)
    await waitFor('Docker', () => isActive('docker.service'), DEADLINE)
    await waitFor('multi-user.target', () => isActive('multi-user.target'), DEADLINE)
  })

  test('stops before the host goes down, as any service', async () => {
    expect((await machine.show(UNIT, 'Conflicts')).split(' ')).toContain('shutdown.target')
    expect((await machine.show(UNIT, 'Before')).split(' ')).toContain('shutdown.target')
    expect((await machine.show(UNIT, 'After')).split(' ')).toEqual(
      expect.arrayContaining(['sysinit.target', 'basic.target', 'network-online.target']),
    )
  })
})
