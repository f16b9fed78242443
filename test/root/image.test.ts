import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'
import { waitFor } from '../lab/index.ts'
import { InstalledHost } from './installed-host.ts'
import { Packages } from './packages.ts'

/** Said by the setup of this project, which makes the hosts and fetches what the image is made of: here there is no network. */
const hindrance = process.env['FLANNEL_NO_CLEAN_HOSTS'] ?? process.env['FLANNEL_NO_IMAGE']
const IMAGE = 'flannel-agent:0.1.0'

describe.skipIf(hindrance !== undefined)('the image, under a real Docker', () => {
  const lab = useLab({ hosts: 2 })
  let folder = ''
  let host: InstalledHost
  let packages: Packages

  const agent = (...flags: readonly string[]) => {
    // As the DaemonSet for Kubernetes has it (packaging/kubernetes).
    const mounts =
      '--read-only -v /run/flannel:/run/flannel -v /run/xtables.lock:/run/xtables.lock -v /etc/machine-id:/etc/machine-id:ro'
    const etcd = `--etcd-endpoints=${lab().etcd.endpoints.join(',')}`
    const options = `-d --name flanneld --restart unless-stopped --network host --cap-drop ALL --cap-add NET_ADMIN`
    return host.sh(
      `touch /run/xtables.lock && docker run ${options} ${mounts} ${IMAGE} ${etcd} --iface=eth0 ${flags.join(' ')}`,
    )
  }
  const knowsPeer = () =>
    waitFor('the peer', async () => (await lab().host(0).peerTables(DEVICE)).routes.length === 1, {
      deadlineMs: 30_000,
    })

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'image-'))
    host = new InstalledHost(lab(), folder)
    packages = await Packages.build()
    await host.boot()
    // The laboratory makes the containers' bridge itself.
    await host.machine.configure('docker/daemon.json', '{"bridge":"none"}\n')
    await host.machine.install('docker.io')
    await host.machine.copyIn('/root/image.oci.tar', packages.file('.oci.tar'))
  }, 600_000)
  beforeEach(({ onTestFailed }) => {
    onTestFailed(async () => {
      process.stderr.write((await readFile(host.machine.logPath, 'utf8')).slice(-2_000))
      process.stderr.write((await host.run('docker logs flanneld 2>&1 | tail -n 40')).text)
    })
  })
  afterAll(async () => {
    await host.machine.powerOff()
    await rm(folder, { recursive: true, force: true })
  })

  test('is loaded under its name and version, and says what it is', async () => {
    expect(await host.sh('docker load -i /root/image.oci.tar')).toContain(`Loaded image: ${IMAGE}`)
    expect(await host.sh(`docker run --rm --network none ${IMAGE} --version`)).toMatch(
      /^flanneld \(flannel-agent\) 0\.1\.0/,
    )
    const labels = await host.sh(`docker inspect --format '{{json .Config.Labels}}' ${IMAGE}`)
    expect(labels).toMatch(/"org.opencontainers.image.version":"0\.1\.0"/)
    expect(labels).toMatch(/"debian.packages":"[^"]*nftables=/)
  })

  test('is the same, to the byte, when it is made again of the same packages', async () => {
    const again = await Packages.buildAfresh(join(folder, 'again'), 'image')
    expect((await readFile(again.file('.oci.tar'))).equals(await readFile(packages.file('.oci.tar')))).toBe(true)
  }, 300_000)

  test('has the programs that write rules, each with the libraries it needs', async () => {
    const run = (program: string) =>
      host.run(`docker run --rm --network none --cap-add NET_ADMIN --entrypoint ${program}`)
    expect((await run(`/usr/sbin/nft ${IMAGE} --version`)).text).toMatch(/^nftables v/)
    for (const tool of ['iptables', 'ip6tables', 'iptables-save', 'iptables-restore', 'ip6tables-restore'])
      expect((await run(`/usr/sbin/${tool} ${IMAGE} --version`)).text).toMatch(/v1\.\d+\.\d+ \(nf_tables\)/)
    expect((await run(`/usr/sbin/iptables-legacy ${IMAGE} --version`)).text).toContain('(legacy)')
    // The extensions of iptables that our rules name are modules of their own.
    const rule = `-t nat -A POSTROUTING -m comment --comment x -m mark ! --mark 0x4000 -j MASQUERADE --random-fully`
    expect(await run(`/usr/sbin/iptables ${IMAGE} ${rule}`)).toEqual({ code: 0, text: '' })
  })

  test.each([['nftables'], ['iptables']])(
    'leases, forwards and masquerades by %s, with NET_ADMIN alone',
    async (tool) => {
      await lab().putConfig({ ...CONFIG, EnableNFTables: tool === 'nftables' })
      await agent('--ip-masq')
      await lab().host(0).ready()
      await knowsPeer()
      if (lab().host(0).containers.length === 0) await lab().host(0).addContainer()
      const rules = tool === 'nftables' ? 'nft list table ip flannel-ipv4' : 'iptables-save -t nat'
      await waitFor('the rules', async () => /masquerade/i.test((await host.run(rules)).text))
      // Restarted by Docker, it goes on where it was: no ping is lost.
      expect(await host.lostDuring(() => host.sh('docker restart flanneld'))).toEqual([])
      await host.sh('docker rm -f flanneld')
    },
  )

  test('puts plugin and list on the host, whoever its folders belong to', async () => {
    await host.sh(
      'mkdir -p /run/cni/bin /run/cni/net.d /run/cni/conf && chown 1001 /run/cni/bin && chmod 755 /run/cni/bin',
    )
    await host.sh(`echo '{"name":"cbr0","plugins":[{"type":"flannel"}]}' >/run/cni/conf/cni-conf.json`)
    const rights =
      '--rm --read-only --network none --cap-drop ALL --cap-add DAC_OVERRIDE --security-opt no-new-privileges'
    const folders = ['bin:/opt/cni/bin', 'net.d:/etc/cni/net.d', 'conf:/etc/kube-flannel:ro']
    const mounts = folders.map((folder) => `-v /run/cni/${folder}`).join(' ')
    const { code, text } = await host.run(`docker run ${rights} ${mounts} ${IMAGE} install-cni`)
    expect([code, text]).toEqual([0, expect.stringContaining('bridge, host-local, loopback not found in /opt/cni/bin')])
    expect(await host.sh('CNI_COMMAND=VERSION /run/cni/bin/flannel </dev/null')).toContain('"supportedVersions"')
    expect(await host.sh('ls -A /run/cni/bin /run/cni/net.d')).toBe(
      '/run/cni/bin:\nflannel\n\n/run/cni/net.d:\n10-flannel.conflist\n',
    )
  })

  test("takes away what is left, with Docker's own rules untouched", async () => {
    const chains = () => host.sh("iptables-save | grep -c '^:DOCKER'")
    const before = await chains()
    const options = '--rm --network host --cap-drop ALL --cap-add NET_ADMIN -v /run/flannel:/run/flannel'
    await host.sh(`docker run ${options} ${IMAGE} cleanup`)
    expect([await host.inKernel(), await chains()]).toEqual(['', before])
  })
})
