import { afterAll, describe, expect, test } from 'vitest'
import type { Lab, LabHost } from '../lab/index.ts'
import { fails, HEALTH_FLAGS, holds } from '../lab/health.ts'
import { giveVxlanBack, hasCompiler, onThatKernel, takeVxlan } from '../lab/missing-vxlan.ts'
import { Namespace } from '../lab/namespace.ts'
import { AGENT, agentCall } from '../lab/program.ts'
import { UNDERLAY } from '../lab/underlay.ts'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'
import { BY_ITSELF, causesOf, doctorOn, Patient, shell, type ToldFinding } from './doctor-lab.ts'

/** Without being asked, agents say it within this. */
const DEADLINE_MS = 30_000

/** Each has something else wrong from the start, but one. */
const [WELL, ROUTER, NATTED, VAGRANT, KERNEL, TOOLS, RECEIVER] = [0, 1, 2, 3, 4, 5, 6]

const boxes: Namespace[] = []

const lab = useLab({ hosts: 7, agentCommand: onThatKernel(AGENT) }, async (made) => {
  await made.putConfig(CONFIG)
  await Promise.all([
    hideBehindRouter(made.host(ROUTER), made.host(NATTED)),
    hideAsVirtualBox(made, made.host(VAGRANT)),
    hasCompiler && takeVxlan(made.host(KERNEL).place),
    takeTools(made.host(TOOLS)),
  ])
  sendWrongChecksums(made.host(ROUTER), made.host(RECEIVER))
  for (const at of [WELL, KERNEL, TOOLS, RECEIVER]) made.host(at).agent.start()
  made.host(NATTED).agent.start([`--public-ip=${made.host(ROUTER).address}`])
  startAnywhere(made, made.host(VAGRANT))
})
afterAll(async () => {
  await Promise.all(boxes.map((box) => box.close()))
})

/** Two networks on one wire, and a machine that has an address in each and lets nothing in. */
async function hideBehindRouter(router: LabHost, host: LabHost): Promise<void> {
  await shell(
    router,
    `sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0 net.netfilter.nf_conntrack_udp_timeout=1
     ip address add 172.31.0.1/24 dev eth0
     nft -f - <<'N'
table ip router {
  chain out { type nat hook postrouting priority srcnat; ip saddr 172.31.0.0/24 masquerade; }
  chain in { type nat hook prerouting priority dstnat; }
}
N`,
  )
  await shell(
    host,
    'ip address flush dev eth0; ip address add 172.31.0.2/24 dev eth0; ip route replace default via 172.31.0.1',
  )
}

/** The first card is that of VirtualBox: the same address as on every machine, behind a NAT of its own that leads everywhere. */
async function hideAsVirtualBox({ underlay }: Lab, { place }: LabHost): Promise<void> {
  const box = await Namespace.create('ip link set lo up')
  boxes.push(box)
  await underlay.connect('box', box.pid)
  await underlay.place.ipBatch([`link add enp0s3 netns ${place.pid} type veth peer name inside netns ${box.pid}`])
  await box.exec('sh', [
    '-ec',
    `echo 1 > /proc/sys/net/ipv4/ip_forward
     ip address add ${UNDERLAY.address(200)}/24 dev eth0; ip link set eth0 up; ip route add default via ${UNDERLAY.gateway}
     ip address add 10.0.2.2/24 dev inside; ip link set inside up
     nft 'add table ip box; add chain ip box out { type nat hook postrouting priority srcnat; }; add rule ip box out oifname eth0 masquerade'`,
  ])
  await place.ipBatch([
    'address add 10.0.2.15/24 dev enp0s3',
    'link set enp0s3 up',
    'route replace default via 10.0.2.2 dev enp0s3',
  ])
}

/** As a card does that computes those of UDP wrongly: one packet after the other, for as long as the sender is there. */
function sendWrongChecksums(from: LabHost, to: LabHost): void {
  const rule = `ip daddr ${to.address} udp dport 8472 @th,48,16 set 0xbeef`
  from.startScript(
    `nft 'add table ip wrong; add chain ip wrong out { type filter hook output priority 0; }; add rule ip wrong out ${rule}'
     exec bash -c 'while sleep 0.5; do echo > /dev/udp/${to.address}/8472; done'`,
  )
}

/** On whatever interface the agent chooses. */
const startAnywhere = ({ etcd }: Lab, { agent }: LabHost, ...flags: readonly string[]): void => {
  agent.startWith([`--etcd-endpoints=${etcd.endpoints.join(',')}`, ...HEALTH_FLAGS, ...flags])
}

/** Everything that is installed, but the programs of the firewall. */
async function takeTools(host: LabHost): Promise<void> {
  await shell(
    host,
    `at=0
     for folder in $(echo "$PATH" | tr : ' '); do
       [ -e $folder/nft ] || [ -e $folder/iptables ] || continue
       at=$((at + 1)); all=/run/tmp/programs-$at; mkdir $all; mount --bind $folder $all; mount -t tmpfs tmpfs $folder
       ln -s $all/* $folder; rm -f $folder/nft $folder/*tables*
     done`,
  )
}

/** The folders that were covered, as they were. */
const giveTools = (host: LabHost): Promise<string> =>
  shell(
    host,
    `for folder in $(echo "$PATH" | tr : ' '); do [ -e $folder/nft ] || umount $folder 2>/dev/null || true; done`,
  )

const patient = (at: number): Patient => new Patient(() => lab().host(at), DEADLINE_MS)
const ANSWERS = 'answers of peers over IPv4'

/** What doctor finds of the host, or of that peer of it, where that is one thing. */
async function only(at: number, cause: string, peer?: string): Promise<ToldFinding> {
  const isOf = (one: ToldFinding): boolean => one.peer === peer
  const { findings } = await patient(at).tells(
    `doctor on host ${at} to find ${cause} alone`,
    (told) =>
      told.findings
        .filter(isOf)
        .map((one) => one.cause)
        .join() === cause,
  )
  const [found] = findings.filter(isOf)
  if (found === undefined) throw new Error('nothing was found')
  return found
}

/** Both sides ask the other anew. */
const meet = (at: number): Promise<unknown> =>
  Promise.all([patient(at).asks([lab().host(WELL)]), patient(WELL).asks([lab().host(at)])])

describe('a host that begins with something wrong says so by itself, and doctor names it', () => {
  test.skipIf(!hasCompiler)('a kernel without VXLAN', async () => {
    const host = lab().host(KERNEL)
    await fails(host, `device ${DEVICE}`, /^/, BY_ITSELF)
    const found = await only(KERNEL, 'kernel-without-vxlan')
    expect(found.evidence).toContain('ls /sys/module/vxlan: no such folder')
    expect(found.cure[0]).toMatch(/^modprobe vxlan, and /)
    await giveVxlanBack(host.place)
    await host.ready(70_000)
  })

  test('no program to write rules with', async () => {
    const host = lab().host(TOOLS)
    await fails(host, 'firewall', /^iptables-save is not installed/, BY_ITSELF)
    expect((await only(TOOLS, 'firewall-tool-missing')).cure[0]).toMatch(/^apt-get install iptables /)
    await giveTools(host)
    await holds(host, 'firewall', BY_ITSELF)
  })
  test('a published address that is a router’s, which lets nothing in', async () => {
    const [host, router] = [lab().host(NATTED), lab().host(ROUTER)]
    await fails(host, ANSWERS, /^no peer answers any more/, BY_ITSELF)
    const found = await only(NATTED, 'public-ip-behind-nat')
    expect(found.evidence).toContain(`ip address: no interface has ${router.address}`)
    const [, address = ''] = /forward UDP port 8472 to (\S+),/.exec(found.cure[0] ?? '') ?? []
    await shell(router, `nft add rule ip router in ip daddr ${router.address} udp dport 8472 dnat to ${address}`)
    await meet(NATTED)
  })

  test('the address that every machine behind VirtualBox has, on this host and seen from another', async () => {
    const host = lab().host(VAGRANT)
    await fails(host, ANSWERS, /^no peer answers any more/, BY_ITSELF)
    await fails(host, 'way to etcd', /reached over eth0, and not over enp0s3/)
    await fails(lab().host(WELL), ANSWERS, new RegExp(host.name), BY_ITSELF)
    expect((await only(WELL, 'public-ip-hidden', host.name)).cure[0]).toMatch(/^on host3: .*--iface=/)
    const { cure } = await only(VAGRANT, 'public-ip-hidden')
    const [flag = 'none'] = /--iface=\S+/.exec(cure[0] ?? '') ?? []
    await host.agent.stop()
    startAnywhere(lab(), host, flag)
    await holds(host, 'forwarding')
    await meet(VAGRANT)
    await patient(VAGRANT).isWell()
  })

  test('packets that come in with wrong checksums', async () => {
    await fails(lab().host(RECEIVER), 'checksums', /packets came in with wrong checksums/, BY_ITSELF)
    expect((await only(RECEIVER, 'checksum-offload')).cure[0]).toContain(`ethtool -K ${DEVICE}`)
  })
})

test('an agent that stands still is named by status and doctor, which ask without it', async () => {
  const { agent, place } = lab().host(WELL)
  agent.freeze()
  const [{ stdout }, { findings }] = await Promise.all([place.attempt(...agentCall('status')), doctorOn({ place })])
  expect(stdout).toMatch(/^host0 is without an agent that answers/)
  expect(causesOf({ code: 1, findings })).toEqual(['agent-silent'])
  expect(findings[0]?.cure[0]).toBe(`kill -CONT ${agent.pid}, and find out who has stopped it`)
  await shell(lab().host(WELL), `kill -CONT ${agent.pid}`)
  await patient(WELL).isWell()
})
