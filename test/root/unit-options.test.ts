import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CONFIG, useLab } from '../lab/use-lab.ts'
import { waitFor } from '../lab/index.ts'
import { SystemdMachine } from './systemd-machine.ts'

const UNIT = 'flanneld.service'
/** In the order in which they are read. */
const FILES = ['/etc/default/flanneld', '/etc/sysconfig/flanneld', '/run/flannel/options.env']

const hindrance = process.env['FLANNEL_NO_SYSTEMD']

describe.skipIf(hindrance !== undefined)('the options of flanneld.service, under a real systemd', () => {
  const lab = useLab({ hosts: 1 }, (made) => made.putConfig(CONFIG))
  let folder = ''
  let machine: SystemdMachine

  const endpoints = (): string => lab().etcd.endpoints.join(',')
  const show = (property: string): Promise<string> => machine.show(UNIT, property)
  const setFiles = async (...texts: readonly string[]): Promise<void> => {
    await machine.systemctl('stop', UNIT)
    for (const [index, path] of FILES.entries()) {
      const script = 'mkdir -p "${0%/*}"; if [ "$1" = - ]; then rm -f "$0"; else printf %s "$1" > "$0"; fi'
      await machine.place.exec('sh', ['-c', script, path, texts[index] ?? '-'])
    }
  }
  /** The command line of the running agent. */
  const args = async (): Promise<readonly string[]> => {
    const line = await machine.place.exec('cat', [`/proc/${await show('MainPID')}/cmdline`])
    return line.split('\0').filter((arg) => arg.startsWith('-') && !arg.endsWith('='))
  }
  const exists = async (path: string): Promise<boolean> =>
    (await machine.place.attempt('test', ['-e', path])).code === 0
  const begin = async (): Promise<void> => {
    const before = (await machine.journal(UNIT)).length
    await machine.systemctl('start', UNIT)
    said = async () => (await machine.journal(UNIT)).slice(before)
  }
  let said = (): Promise<string> => Promise.resolve('')

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'systemd-'))
    machine = new SystemdMachine(lab().host(0), folder)
    await machine.boot()
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

  test('FLANNELD_OPTS is split into words, quotes keep what belongs together', async () => {
    await setFiles(
      `# a comment\nFLANNELD_OPTS="--etcd-endpoints=${endpoints()} -iface eth0 \\\n  --subnet-file='/run/flannel/with space.env'"\n`,
    )
    await begin()
    expect(await args()).toEqual([
      `--etcd-endpoints=${endpoints()}`,
      '-iface',
      '--subnet-file=/run/flannel/with space.env',
    ])
    expect(await exists('/run/flannel/with space.env')).toBe(true)
    expect(await said()).not.toMatch(/environment/i)
  })

  test('variables are read from all three places, the last one counts, and a flag counts more', async () => {
    await setFiles(
      `FLANNELD_ETCD_ENDPOINTS=http://127.0.0.1:9\nFLANNELD_IFACE=nowhere0\nFLANNELD_SUBNET_FILE=/run/flannel/first.env\n`,
      `FLANNELD_IFACE=nowhere1\nFLANNELD_SUBNET_FILE=/run/flannel/second.env\n`,
      `FLANNELD_ETCD_ENDPOINTS=${endpoints()}\nFLANNELD_IFACE=eth0\nFLANNELD_OPTS=--subnet-file=/run/flannel/flag.env\n`,
    )
    await begin()
    expect(await exists('/run/flannel/flag.env')).toBe(true)
    expect(await exists('/run/flannel/second.env')).toBe(false)
  })

  test('what the old CoreOS and Red Hat write is enough', async () => {
    await setFiles('-', '-', `FLANNELD_IFACE=${lab().host(0).address}\nFLANNELD_ETCD_ENDPOINTS=${endpoints()}\n`)
    await begin()
    await setFiles(
      '-',
      `FLANNEL_ETCD_ENDPOINTS="${endpoints()}"\nFLANNEL_ETCD_PREFIX="/coreos.com/network"\nFLANNEL_OPTIONS="-iface=eth0"\n`,
    )
    await begin()
    expect(await args()).toEqual([
      `--etcd-endpoints=${endpoints()}`,
      '--etcd-prefix=/coreos.com/network',
      '-iface=eth0',
    ])
  })

  test('stopping keeps the file of options below /run', async () => {
    await setFiles('-', '-', `FLANNELD_ETCD_ENDPOINTS=${endpoints()}\n`)
    await begin()
    await machine.systemctl('restart', UNIT)
    await machine.systemctl('stop', UNIT)
    expect(await exists('/run/flannel/options.env')).toBe(true)
  })

  test('a line that is no assignment is left out, and the journal names it', async () => {
    await setFiles(`export FLANNELD_IFACE=nowhere0\nFLANNELD_OPTS=--etcd-endpoints=${endpoints()}\n`)
    await begin()
    expect(await said()).toContain(
      "Ignoring invalid environment assignment 'export FLANNELD_IFACE=nowhere0': /etc/default/flanneld",
    )
  })

  test('a variable with a wrong name is said to be none', async () => {
    await setFiles(`FLANNELD_OPTS=--etcd-endpoints=${endpoints()}\nFLANNELD_IFCAE=eth0\n`)
    await begin()
    expect(await said()).toContain('FLANNELD_IFCAE is not read: no flag has that name; did you mean FLANNELD_IFACE?')
  })

  test('a wrong flag leaves what stands, is not tried again, and says where help is', async () => {
    await setFiles(`FLANNELD_OPTS=--etcd-endpoints=${endpoints()}\n`)
    await begin()
    const device = await machine.host.place.exec('ip', ['-o', 'link', 'show', 'flannel.100'])
    await setFiles(`FLANNELD_OPTS=--etcd-endpoints=${endpoints()} --ifcae=eth0\n`)
    const { code, stderr } = await machine.place.attempt('systemctl', ['start', UNIT])
    expect(code).toBe(1)
    expect(stderr).toContain('journalctl -xeu flanneld.service')
    await waitFor('the end of it', async () => (await show('ActiveState')) === 'failed')
    expect([await show('ExecMainStatus'), await show('Result')]).toEqual(['2', 'exit-code'])
    expect(await machine.journal(UNIT)).toContain('--ifcae: expected a flag of flanneld (did you mean --iface?)')
    expect(await machine.host.place.exec('ip', ['-o', 'link', 'show', 'flannel.100'])).toBe(device)
  })
})
