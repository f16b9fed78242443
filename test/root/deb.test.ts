import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { useLab } from '../lab/use-lab.ts'
import { waitFor } from '../lab/index.ts'
import { InstalledHost, UNIT } from './installed-host.ts'
import { crashing, foreign, Packages } from './packages.ts'

const hindrance = process.env['FLANNEL_NO_CLEAN_HOSTS']
const PROGRAM = 'usr/bin/flanneld'

/** Versions of the package, by what is wrong with them. */
const VARIANTS = {
  '0.1.0-2': '',
  '0.1.0-3~foreign': foreign(PROGRAM),
  '0.1.0-4~crashing': crashing(PROGRAM),
  '0.1.0-5~libc': "sed -i 's/libc6 (>= [0-9.]*)/libc6 (>= 99)/' DEBIAN/control",
  '0.1.0-6~arch': "sed -i 's/^Architecture: .*/Architecture: s390x/' DEBIAN/control",
  '0.1.0-7': '',
} as const

describe.skipIf(hindrance !== undefined)('the .deb, on a host that knows no Node', () => {
  const lab = useLab({ hosts: 2 })
  let folder = ''
  let host: InstalledHost

  const install = (version: string) => host.run(`dpkg -i /root/flannel-agent_${version}.deb`)
  const installed = () => host.sh("dpkg-query -W -f '${Status} ${Version}' flannel-agent")
  const leases = async (): Promise<number> => (await lab().leases()).length

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'deb-'))
    host = new InstalledHost(lab(), folder)
    const packages = await Packages.build()
    await host.boot()
    await host.machine.copyIn('/root/flannel-agent_0.1.0-1.deb', packages.file('.deb'))
    for (const [version, change] of Object.entries(VARIANTS)) {
      const path = await packages.variant(folder, version, change)
      await host.machine.copyIn(`/root/flannel-agent_${version}.deb`, path)
      await rm(path)
    }
    await host.machine.copyIn('/root/flannel-agent.tar.gz', packages.file('.tar.gz'))
  }, 600_000)
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => {
      process.stderr.write((await readFile(host.machine.logPath, 'utf8')).slice(-2_000))
      process.stderr.write((await host.machine.journal(UNIT)).slice(-6_000))
    })
  })
  afterAll(async () => {
    await host.machine.powerOff()
    await rm(folder, { recursive: true, force: true })
  })

  test('is installed by apt, and starts nothing while nothing is configured, which it says', async () => {
    const text = await host.machine.install('/root/flannel-agent_0.1.0-1.deb')
    expect(text).toContain('edit /etc/default/flanneld, then systemctl enable --now flanneld')
    expect(await installed()).toBe('install ok installed 0.1.0-1')
    expect([await host.state(), (await host.run(`systemctl is-enabled ${UNIT}`)).text]).toEqual([
      'inactive',
      'disabled\n',
    ])
    expect(await host.sh('dpkg --verify flannel-agent; dpkg --audit')).toBe('')
  })

  test('leases and forwards when systemd has started it', async () => {
    await host.settings()
    await host.sh(`systemctl enable --now ${UNIT}`)
    await host.joined()
    expect(await host.lostDuring(() => Promise.resolve())).toEqual([])
    expect(await host.sh(`mk-docker-opts.sh && cat /run/docker_opts.env`)).toContain('DOCKER_OPT_BIP="--bip=10.')
    for (const plugin of ['/opt/cni/bin/flannel', '/usr/lib/cni/flannel'])
      expect(await host.sh(`CNI_COMMAND=VERSION ${plugin} < /dev/null`)).toContain('supportedVersions')
  })

  test('is upgraded without a ping lost; settings stay as they were edited', async () => {
    const before = await host.pid()
    expect(await host.lostDuring(() => install('0.1.0-2'))).toEqual([])
    expect(await installed()).toBe('install ok installed 0.1.0-2')
    expect([await host.state(), (await host.pid()) === before]).toEqual(['active', false])
    expect(await host.sh('cat /etc/default/flanneld')).toContain('FLANNELD_IFACE=eth0')
    expect(await host.sh('ls -A /usr/lib/flannel-agent /var/lib/flannel-agent 2>&1 | grep -c "No such"')).toBe('2\n')
  })

  test.each([
    ['0.1.0-3~foreign', 'does not run on this machine, the former one stays: .*GLIBC_2.99'],
    ['0.1.0-5~libc', 'pre-depends on libc6 \\(>= 99\\)'],
    ['0.1.0-6~arch', 'package architecture \\(s390x\\) does not match system'],
  ])('%s, which this machine cannot run, leaves the former one running', async (version, reason) => {
    const before = await host.pid()
    const { code, text } = await install(version)
    expect(code).toBe(1)
    expect(text).toMatch(new RegExp(reason))
    expect(await installed()).toBe('install ok installed 0.1.0-2')
    expect([await host.state(), await host.pid()]).toEqual(['active', before])
    expect(await host.sh('flanneld --version; dpkg --verify flannel-agent')).toMatch(
      /^flanneld \(flannel-agent\) 0\.1\.0/,
    )
  })

  test('leaves the former one running where the disk is too full for the new one', async () => {
    const before = await host.pid()
    await host.resizeDisk(20_000)
    try {
      const { code, text } = await install('0.1.0-7')
      expect(code).toBe(1)
      expect(text).toMatch(
        /\/usr\/bin has \d+ KiB left, and the new executable takes \d+\nflannel-agent: nothing was changed/,
      )
    } finally {
      await host.resizeDisk()
    }
    expect(await installed()).toBe('install ok installed 0.1.0-2')
    expect([await host.state(), await host.pid()]).toEqual(['active', before])
  })

  test('does not restart the agent over settings with which it would not start, and names them', async () => {
    const before = await host.pid()
    await host.settings('FLANNELD IP_MASQ=true', 'FLANNELD_IP_MASK=true', 'FLANNELD_IP_MASQ=ture')
    const { code, text } = await install('0.1.0-7')
    expect(code).toBe(0)
    expect(text).toContain(
      '/etc/default/flanneld:3: expected NAME=value, found "FLANNELD IP_MASQ": systemd ignores this line',
    )
    expect(text).toContain('/etc/default/flanneld:4: FLANNELD_IP_MASK is read by nobody')
    expect(text).toMatch(/not restarted, since .*FLANNELD_IP_MASQ: expected true or false, found "ture"/)
    expect(text).toContain('put the settings right, then systemctl restart flanneld')
    expect([await host.state(), await host.pid()]).toEqual(['active', before])
    await host.settings()
    await host.sh(`systemctl restart ${UNIT}`)
  })

  test('puts the former executable back when the new agent does not come up; no ping is lost', async () => {
    let answer = { code: null as number | null, text: '' }
    expect(
      await host.lostDuring(async () => {
        answer = await host.run('dpkg -i --force-downgrade /root/flannel-agent_0.1.0-4~crashing.deb')
      }),
    ).toEqual([])
    expect(answer.code).toBe(1)
    expect(answer.text).toMatch(
      /the new flanneld did not come back:\n(.*\n)*.*the former executable is in its place again; flanneld runs/,
    )
    await host.isActive()
    expect(await host.sh('flanneld --version')).toMatch(/^flanneld \(flannel-agent\) 0\.1\.0/)
    expect((await install('0.1.0-7')).code).toBe(0)
    expect(await installed()).toBe('install ok installed 0.1.0-7')
    await host.joined()
  })

  test('goes back to a former version the same way, without a ping lost', async () => {
    expect(await host.lostDuring(() => host.sh('dpkg -i --force-downgrade /root/flannel-agent_0.1.0-1.deb'))).toEqual(
      [],
    )
    expect(await installed()).toBe('install ok installed 0.1.0-1')
    expect(await host.state()).toBe('active')
  })

  test('leaves an agent stopped that somebody has stopped', async () => {
    await host.sh(`systemctl stop ${UNIT}`)
    expect((await install('0.1.0-2')).code).toBe(0)
    expect(await host.state()).toBe('inactive')
    await host.sh(`systemctl start ${UNIT}`)
  })

  test('refuses install.sh beside it', async () => {
    await host.sh('mkdir -p /root/archive && tar xzf /root/flannel-agent.tar.gz -C /root/archive --strip-components=1')
    const { code, text } = await host.run('/root/archive/install.sh')
    expect([code, text]).toEqual([
      1,
      expect.stringMatching(/the package flannel-agent is installed: upgrade with apt-get[^]*nothing was changed/),
    ])
  })

  test('when removed, stops the agent and leaves what forwards; installed again, goes on with the same subnet', async () => {
    const subnet = await host.sh('grep FLANNEL_SUBNET /run/flannel/subnet.env')
    let text = ''
    const removed = await host.lostDuring(async () => {
      text = await host.sh('apt-get -y remove flannel-agent')
    })
    expect(removed).toEqual([])
    expect(text).toContain('forwarding goes on until a reboot')
    expect(await host.machine.show(UNIT, 'LoadState')).toBe('not-found')
    expect(await host.lostDuring(() => install('0.1.0-2'))).toEqual([])
    await host.isActive()
    expect(await host.sh('grep FLANNEL_SUBNET /run/flannel/subnet.env')).toBe(subnet)
  })

  test('when purged, leaves no file, unit, device, rule or lease', async () => {
    expect([await leases(), await host.inKernel()]).toEqual([2, expect.stringContaining('flannel.100')])
    const text = await host.sh('apt-get -y purge flannel-agent')
    expect(text).not.toMatch(/was not given back|not everything/)
    expect(await host.inKernel()).toBe('')
    expect(await host.files()).toEqual([])
    expect(await host.machine.show(UNIT, 'LoadState')).toBe('not-found')
    expect((await host.run('dpkg-query -W flannel-agent; systemctl list-unit-files | grep flannel')).text).toMatch(
      /no packages found/,
    )
    await waitFor('the lease to be gone', async () => (await leases()) === 1)
  })

  test('when purged after it was removed, with etcd gone, leaves nothing on the host and says what stays in etcd', async () => {
    await host.settings('FLANNELD_ETCD_ENDPOINTS=http://127.0.0.1:9')
    const { text: started } = await host.run('dpkg -i --force-confold /root/flannel-agent_0.1.0-2.deb')
    expect(started).toMatch(/flanneld runs, and waits: network configuration: /)
    await host.sh(
      'ip link add flannel.100 type vxlan id 100 dev eth0 dstport 8472 nolearning && ip link set flannel.100 alias flannel-agent',
    )
    await host.sh('dpkg -r flannel-agent')
    const { code, text } = await host.run('dpkg -P flannel-agent')
    expect(code).toBe(0)
    expect(text).toContain('the lease was not given back; it ends by itself within a day')
    expect([await host.inKernel(), await host.files()]).toEqual(['', []])
  })

  test('refuses to be installed over what install.sh has put there', async () => {
    await host.sh('/root/archive/install.sh --no-start')
    const { code, text } = await install('0.1.0-2')
    expect(code).toBe(1)
    expect(text).toContain('first run /usr/local/lib/flannel-agent/uninstall.sh')
    await host.sh('/usr/local/lib/flannel-agent/uninstall.sh --purge')
    await host.sh('dpkg -P flannel-agent 2>/dev/null || :')
    expect(await host.files()).toEqual([])
  })
})
