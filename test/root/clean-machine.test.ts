import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { useLab } from '../lab/use-lab.ts'
import { waitFor } from '../lab/index.ts'
import { MAKE_BUSYBOX_ROOT } from './busybox-root.ts'
import { CleanMachine } from './clean-machine.ts'

/** Said by the setup of this project, which makes the root file system. */
const hindrance = process.env['FLANNEL_NO_CLEAN_HOSTS']

const IMPORT_IMAGE = `set -e
root=$(mktemp -d)
${MAKE_BUSYBOX_ROOT}
tar -C "$root" -c . | docker import - busybox`

const GREETER = `[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
`

/** What a running agent and Docker leave in the kernel. */
const OVERLAY = [
  'link add flannel.100 type vxlan id 100 dev eth0 dstport 8472',
  'link set flannel.100 up',
  'route add 10.99.0.0/16 dev flannel.100',
]
const TABLE = ['add', 'table', 'inet', 'leftover']

describe.skipIf(hindrance !== undefined)('two clean hosts with a systemd', () => {
  const lab = useLab({ hosts: 2 })
  let folder = ''
  let machines: readonly CleanMachine[] = []
  const machine = (index: number): CleanMachine => {
    const found = machines[index]
    if (found === undefined) throw new RangeError(`there is no machine ${index}`)
    return found
  }
  const sh = (index: number, script: string): Promise<string> => machine(index).place.exec('sh', ['-c', script])

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clean-'))
    machines = lab().hosts.map((host) => new CleanMachine(host, folder))
    await Promise.all(machines.map((made) => made.boot()))
  })
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => {
      for (const { logPath } of machines) process.stderr.write((await readFile(logPath, 'utf8')).slice(-4_000))
    })
  })
  afterAll(async () => {
    await Promise.all(machines.map((made) => made.powerOff()))
    await rm(folder, { recursive: true, force: true })
  })

  test('know no Node, and nothing of the environment that the tests run in', async () => {
    const { code, stdout } = await machine(0).place.attempt('sh', ['-c', 'command -v node nodejs npm flanneld'])
    expect([code, stdout]).toEqual([127, ''])
    const names = (await machine(0).place.exec('env')).split('\n').map((line) => line.replace(/=.*/, ''))
    expect(names.filter((name) => /^(npm_|FLANNEL|NODE|VITEST|LD_|TMP)/i.test(name))).toEqual([])
  })

  test('are two, by name and identity, and reach each other over eth0, which networkd has configured', async () => {
    const [first, second] = [await sh(0, 'hostname; cat /etc/machine-id'), await sh(1, 'hostname; cat /etc/machine-id')]
    expect(first).toMatch(/^host0\n[0-9a-f]{32}\n$/)
    expect(second).toMatch(/^host1\n[0-9a-f]{32}\n$/)
    expect(first.split('\n')[1]).not.toBe(second.split('\n')[1])
    expect(await sh(0, 'networkctl --no-legend --no-pager list eth0')).toMatch(/eth0\s+ether\s+routable\s+configured/)
    for (const { place, host } of machines) {
      const { address, address6 } = host === lab().host(0) ? lab().host(1) : lab().host(0)
      for (const to of [address, address6])
        expect(await place.exec('ping', ['-c', '2', '-l', '2', '-i', '2', '-W', '2', to])).toContain(' 0% packet loss')
    }
  })

  test('do not forward before they are told to, as a server that was just installed', async () => {
    expect(await sh(0, 'cat /proc/sys/net/ipv4/ip_forward')).toBe('0\n')
  })

  test('take files and folders with their modes', async () => {
    const source = join(folder, 'tool')
    await writeFile(source, '#!/bin/sh\necho copied\n', { mode: 0o755 })
    await machine(0).copyIn('/opt/made/on/the/way/tool', source)
    await machine(0).copyIn('/opt/whole', folder)
    expect(await sh(0, '/opt/made/on/the/way/tool; /opt/whole/tool; stat -c %a-%U /opt/whole/tool')).toBe(
      'copied\ncopied\n755-root\n',
    )
  })

  test('install packages by dpkg and apt-get without a network, with services that are started', async () => {
    await machine(0).install('etcd-client')
    expect(await sh(0, "dpkg-query -W -f '${Status}' etcd-client; dpkg --audit")).toBe('install ok installed')
    expect(await sh(0, 'etcdctl version')).toContain('etcdctl version: 3.')
    await machine(0).install('etcd-server')
    expect(await machine(0).show('etcd.service', 'ActiveState')).toBe('active')
    await waitFor('etcd to answer', () => sh(0, 'etcdctl endpoint health'))
    await sh(0, 'dpkg --purge etcd-server')
    expect(await machine(0).show('etcd.service', 'LoadState')).toBe('not-found')
    expect((await machine(1).place.attempt('sh', ['-c', 'command -v etcdctl'])).stdout).toBe('')
  }, 180_000)

  test('run containers by a Docker that apt-get has installed and systemd started', async () => {
    await Promise.all(machines.map((made) => made.install('docker.io', 'busybox-static')))
    for (const index of machines.keys()) {
      expect(await machine(index).show('docker.service', 'ActiveState')).toBe('active')
      await sh(index, IMPORT_IMAGE)
      const network = await sh(index, 'docker run --rm busybox ip -4 -o address show dev eth0')
      expect(network).toContain('inet 172.17.0.')
    }
    expect(await sh(0, 'docker info --format "{{.Driver}} {{.CgroupDriver}} {{.CgroupVersion}}"')).toBe(
      'overlay2 systemd 2\n',
    )
    expect(await sh(0, 'docker run --rm --memory 64m --pids-limit 50 busybox ping -c 1 -W 2 192.168.205.11')).toContain(
      ' 0% packet loss',
    )
  }, 300_000)

  test('start again with their files, units and containers, and without what was in the kernel or /run', async () => {
    const { place, host } = machine(0)
    await machine(0).configure('systemd/system/greeter.service', GREETER)
    await machine(0).systemctl('enable', '--now', 'greeter.service')
    await sh(
      0,
      'echo kept > /root/file; touch /run/lost; docker run -d --stop-signal KILL --restart always busybox httpd -f',
    )
    await place.ipBatch(OVERLAY)
    await place.exec('nft', TABLE)
    const identity = await sh(0, 'cat /etc/machine-id /proc/sys/kernel/random/boot_id; hostname')
    await machine(0).reboot()

    expect(await sh(0, 'cat /root/file; ls -A /run/lost 2>&1 | grep -c "No such"')).toBe('kept\n1\n')
    expect(await sh(0, 'cat /etc/machine-id /proc/sys/kernel/random/boot_id; hostname')).toBe(identity)
    expect(await machine(0).show('greeter.service', 'ActiveState')).toBe('active')
    const links = (await machine(0).place.ip('link')).map(({ ifname }) => ifname)
    expect(links).toContain('eth0')
    expect(links).not.toContain('flannel.100')
    expect(await sh(0, 'nft list tables')).not.toContain('leftover')
    expect(await sh(0, 'ip route show 10.99.0.0/16')).toBe('')
    await waitFor('the container to run again', async () => (await sh(0, 'docker ps')).includes('Up'))
    expect(await machine(1).place.exec('ping', ['-c', '1', '-W', '2', host.address])).toContain(' 0% packet loss')
  }, 180_000)

  test('come back after a power failure', async () => {
    await sh(1, 'echo kept > /root/file; sync')
    await machine(1).powerOff()
    await machine(1).boot()
    expect(await sh(1, 'cat /root/file')).toBe('kept\n')
    expect(await machine(1).show('docker.service', 'ActiveState')).toBe('active')
  })
})
