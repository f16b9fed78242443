import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { useLab } from '../lab/use-lab.ts'
import { waitFor } from '../lab/index.ts'
import { InstalledHost, UNIT } from './installed-host.ts'
import { crashing, foreign, Packages } from './packages.ts'

const hindrance = process.env['FLANNEL_NO_CLEAN_HOSTS']
const ARCHIVE = '/root/archive'
const INSTALL = `${ARCHIVE}/install.sh`
const UNINSTALL = '/usr/local/lib/flannel-agent/uninstall.sh'

/** Nothing of the package manager is left, as on a distribution that has another. */
const WITHOUT_DPKG =
  'rm -rf /usr/bin/dpkg* /usr/bin/apt* /usr/lib/apt /usr/lib/dpkg /var/lib/dpkg /var/lib/apt /etc/apt'

/**
 * A kernel without VXLAN, as the script finds it: the module is nowhere, and to a request for such a device the kernel answers what
 * iproute2 makes of its EOPNOTSUPP. The kernel that the tests run on has VXLAN, and is not made to forget it.
 */
const WITHOUT_VXLAN = `mkdir -p /root/tools && cat > /root/tools/ip <<'END'
#!/bin/sh
case "$*" in *vxlan*) echo 'Error: Unknown device type.' >&2; exit 2 ;; esac
exec /usr/sbin/ip "$@"
END
chmod +x /root/tools/ip`
const ON_THAT_KERNEL = `unshare --mount sh -c 'mount -t tmpfs none /sys/module; PATH=/root/tools:$PATH exec "$@"' sh`

describe.skipIf(hindrance !== undefined)('install.sh, on a host that knows neither Node nor dpkg', () => {
  const lab = useLab({ hosts: 2 })
  let folder = ''
  let host: InstalledHost

  /** The archive unpacked once more, with something done to its executable. */
  const altered = (name: string, change: (path: string) => string): Promise<string> =>
    host.sh(`cp -R ${ARCHIVE} /root/${name} && cd /root/${name} && ${change('bin/flanneld')}`)

  /** Nothing but a refusal comes of it: same process, same files. */
  const refusal = async (script: string): Promise<string> => {
    const state = async () => [await host.pid(), await host.sh('cd /usr/local && find . -type f | xargs -r sha1sum')]
    const before = await state()
    const { code, text } = await host.run(script)
    expect([code, await state()]).toEqual([1, before])
    expect(text).toContain('nothing was changed')
    return text
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tarball-'))
    host = new InstalledHost(lab(), folder)
    const packages = await Packages.build()
    await host.boot()
    await host.machine.copyIn('/root/archive.tar.gz', packages.file('.tar.gz'))
    await host.sh(
      `${WITHOUT_DPKG}; mkdir ${ARCHIVE} && tar xzf /root/archive.tar.gz -C ${ARCHIVE} --strip-components=1`,
    )
    await host.sh(WITHOUT_VXLAN)
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

  test('refuses without rights, and on a kernel without VXLAN, and says what to do', async () => {
    await host.sh(`cp -R ${ARCHIVE} /tmp/archive`)
    expect(await refusal('setpriv --reuid=65534 --clear-groups /tmp/archive/install.sh')).toContain(
      "root's rights are needed",
    )
    await host.sh('rm -r /tmp/archive')
    expect(await refusal(`${ON_THAT_KERNEL} ${INSTALL}`)).toMatch(
      /cannot make VXLAN devices[^]*modprobe vxlan[^]*--without-vxlan/,
    )
    expect(await host.files()).toEqual([])
  })

  test('installs, starts nothing while nothing is configured, and says how to go on', async () => {
    const text = await host.sh(INSTALL)
    expect(text).toContain('flanneld 0.1.0 is /usr/local/bin/flanneld')
    expect(text).toContain('edit /etc/default/flanneld, then systemctl enable --now flanneld')
    await host.settings()
    await host.sh(`systemctl enable --now ${UNIT}`)
    await host.joined()
    expect(await host.sh('cat /proc/$(systemctl show --value -p MainPID flanneld)/cmdline')).toMatch(
      /^\/usr\/local\/bin\/flanneld/,
    )
    expect(await host.sh('mk-docker-opts.sh && cat /run/docker_opts.env')).toContain('--bip=10.')
  })

  test('upgrades without a ping lost, leaves the settings as they are, and keeps the version before', async () => {
    const before = await host.pid()
    expect(await host.lostDuring(() => host.sh(INSTALL))).toEqual([])
    expect([await host.state(), (await host.pid()) === before]).toEqual(['active', false])
    expect(await host.sh('cat /etc/default/flanneld')).toContain('FLANNELD_IFACE=eth0')
    expect(await host.sh('/usr/local/bin/flanneld.previous --version')).toMatch(/^flanneld/)
  })

  test('refuses what this machine cannot run, a second place, a full disk and wrong settings; the agent runs on', async () => {
    await altered('foreign', foreign)
    expect(await refusal('/root/foreign/install.sh')).toMatch(
      /the new executable does not run on this machine: .*GLIBC_2\.99/,
    )
    expect(await refusal(`${INSTALL} --prefix /opt`)).toMatch(/installed already in \/usr\/local: upgrade it there/)
    await host.resizeDisk(20_000)
    try {
      expect(await refusal(INSTALL)).toMatch(/\/usr\/local\/bin has \d+ KiB left, and flanneld takes \d+/)
    } finally {
      await host.resizeDisk()
    }
    await host.settings('FLANNELD_OPTS="--ifcae=eth0"', 'FLANNELD-V=1')
    const text = await refusal(INSTALL)
    expect(text).toContain('/etc/default/flanneld:4: expected NAME=value, found "FLANNELD-V"')
    expect(text).toMatch(/would not start with its settings: .*--ifcae: expected a flag of flanneld/)
    await host.settings()
    expect(await host.sh('ls -A /usr/local/bin')).toBe('flanneld\nflanneld.previous\nmk-docker-opts.sh\n')
  })

  test('puts the version before back when the new agent does not come up; no ping is lost', async () => {
    await altered('crashing', crashing)
    let answer = { code: null as number | null, text: '' }
    const lost = await host.lostDuring(async () => {
      answer = await host.run('/root/crashing/install.sh')
    })
    expect([lost, answer.code]).toEqual([[], 1])
    expect(answer.text).toContain('the version before is put in its place again')
    await host.isActive()
    expect(await host.sh('stat -c %s /usr/local/bin/flanneld')).toBe(
      await host.sh(`stat -c %s ${ARCHIVE}/bin/flanneld`),
    )
  })

  test('goes back to the version before, and forth again, without a ping lost', async () => {
    await host.sh(INSTALL)
    const inodes = () => host.sh('stat -c %i /usr/local/bin/flanneld /usr/local/bin/flanneld.previous')
    const [current, previous] = (await inodes()).trim().split('\n')
    expect(await host.lostDuring(() => host.sh(`${INSTALL} --rollback`))).toEqual([])
    expect((await inodes()).trim().split('\n')).toEqual([previous, current])
    expect(await host.state()).toBe('active')
  })

  test('is uninstalled with forwarding left, and installed again with the same subnet', async () => {
    const subnet = await host.sh('grep FLANNEL_SUBNET /run/flannel/subnet.env')
    expect(await host.lostDuring(() => host.sh(UNINSTALL))).toEqual([])
    expect(await host.files()).toEqual(['/etc/default/flanneld', '/run/flannel'])
    expect(await host.sh(INSTALL)).toMatch(/flanneld runs: 10\./)
    expect(await host.sh('grep FLANNEL_SUBNET /run/flannel/subnet.env')).toBe(subnet)
  })

  test('is uninstalled also while something calls for its unit all the time, as the socket of Docker does', async () => {
    const caller = '/run/systemd/system/caller.service'
    await host.sh(
      `printf '[Unit]\\nWants=${UNIT}\\n[Service]\\nExecStart=/bin/sleep 1000\\n' > ${caller}; systemctl daemon-reload`,
    )
    const call = `systemctl --no-block restart caller.service; systemctl show --value -p LoadState ${UNIT}`
    const calling = `while [ -e /run/calling ]; do ${call}; sleep 0.05; done`
    await host.sh(`touch /run/calling; (${calling}) >/run/calls 2>&1 & ${UNINSTALL}; rm /run/calling; wait`)
    expect(await host.run('pidof flanneld')).toMatchObject({ code: 1 })
    expect(await host.sh('uniq /run/calls')).toBe('loaded\nmasked\nnot-found\n')
    await host.sh(`systemctl stop caller.service; rm ${caller} /run/calls; systemctl daemon-reload`)
    expect(await host.sh('ls -R /run/systemd')).not.toContain('flannel')
    expect(await host.sh(INSTALL)).toMatch(/flanneld runs: 10\./)
  })

  test('is purged: no file, unit, device, rule or lease is left', async () => {
    await host.sh(`${UNINSTALL} --purge`)
    expect([await host.inKernel(), await host.files()]).toEqual(['', []])
    expect(await host.machine.show(UNIT, 'LoadState')).toBe('not-found')
    await waitFor('the lease to be gone', async () => (await lab().leases()).length === 1)
  })

  test('takes /opt where /usr cannot be written, with units in /etc', async () => {
    await host.sh('mount --bind /usr /usr && mount -o remount,bind,ro /usr')
    try {
      await host.sh('ls /usr/local && ! touch /usr/local/bin/x')
      await host.sh(INSTALL)
      await host.settings()
      await host.sh(`systemctl enable --now ${UNIT}`)
      await host.isActive()
      expect(await host.sh('cat /proc/$(systemctl show --value -p MainPID flanneld)/cmdline')).toMatch(
        /^\/opt\/bin\/flanneld/,
      )
      await host.sh('/opt/lib/flannel-agent/uninstall.sh --purge')
      expect(await host.files()).toEqual([])
    } finally {
      await host.sh('umount --lazy /usr')
    }
  })
})
