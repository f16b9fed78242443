import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { underFakeClock, setClock } from '../lab/fake-clock.ts'
import { fails, holds, waitFor, type LabHost } from '../lab/index.ts'
import { AGENT } from '../lab/program.ts'
import { CONFIG, DEVICE, useLab } from '../lab/use-lab.ts'
import { BY_ITSELF, causesOf, doctorOn, follow, type ToldFinding } from './doctor-lab.ts'

const CAN_DO = '--iptables-forward-rules=false'
const EMPTY = 'iptables-nft -P FORWARD ACCEPT; iptables-nft -F; nft flush ruleset'

/** As many connections as the kernel remembers, each a datagram of its own on the loopback. */
const FILL = `
import socket
s = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
for at, one in enumerate(s): one.bind(('127.0.0.1', 20000 + at))
most = int(open('/proc/sys/net/netfilter/nf_conntrack_max').read())
for n in range(most + 5000):
    try: s[n % 8].sendto(b'', ('127.1.%d.%d' % (n // 8 % 65536 // 256, n // 8 % 256), 1000 + n // 524288))
    except OSError: pass
`

const lab = useLab({ hosts: 2, agentCommand: underFakeClock([...AGENT]) }, async (made) => {
  await setClock(made.host(0).place, '+0')
  await setClock(made.host(1).place, '-2h')
  await made.putConfig(CONFIG)
  made.host(0).agent.start([CAN_DO])
  made.host(1).agent.start()
  await Promise.all(made.hosts.map((host) => host.addContainer()))
  await waitFor('both to know each other', async () =>
    (await Promise.all(made.hosts.map((host) => host.peerTables(DEVICE)))).every(({ routes }) => routes.length === 1),
  )
})

const sh = ({ place }: LabHost, script: string): Promise<string> => place.exec('sh', ['-ec', script])

/** Sets up what is undone when the test ends. */
async function broken(host: LabHost, script: string, undo: string): Promise<void> {
  onTestFinished(async () => {
    await sh(host, undo)
  })
  await sh(host, script)
}

/** The one thing that is found on the first host. */
async function foundOn(host: LabHost, cause: string): Promise<ToldFinding> {
  const told = await doctorOn(host)
  expect(causesOf(told)).toEqual([cause])
  const [finding] = told.findings
  if (finding === undefined) throw new Error('nothing')
  expect(finding.evidence.length).toBeGreaterThan(0)
  return finding
}

/** The agent looks at the rules of others when an address of its subnet comes, and not only once a minute. */
const ring = async (host: LabHost): Promise<void> => {
  const [address = ''] = /\d+\.\d+\.\d+/.exec((await host.subnetFile())?.bridgeAddress ?? '') ?? []
  await sh(host, `ip address add ${address}.250/32 dev docker0; ip address del ${address}.250/32 dev docker0`)
}

const healthy = async (host: LabHost): Promise<void> => {
  expect(await doctorOn(host)).toEqual({ code: 0, findings: [] })
}

describe('a host whose rules, bridges and settings keep the overlay from its containers', () => {
  let host: LabHost
  beforeEach(() => {
    host = lab().host(0)
  })

  test('is found well before', async () => {
    await healthy(host)
  })

  test('the policy of FORWARD drops, and the accept of the agent is off: named by itself, and cured as told', async () => {
    await broken(host, 'iptables-nft -P FORWARD DROP', EMPTY)
    await ring(host)
    await fails(host, 'drops of others', /^/, BY_ITSELF)
    const finding = await foundOn(host, 'forward-drop')
    expect(finding.summary).toMatch(/policy of .* filter, chain FORWARD, drops.*--iptables-forward-rules=false/)
    await follow(host, finding)
    await healthy(host)
  })

  test.each([
    [
      'firewalld',
      `nft -f - <<'N'
table inet firewalld {
  chain filter_FORWARD {
    type filter hook forward priority filter + 10; policy accept;
    ct state { established, related } accept
    iifname "lo" accept
    jump filter_FORWARD_ZONES
    reject with icmpx admin-prohibited
  }
  chain filter_FORWARD_ZONES { iifname "eth0" oifname "eth0" accept; }
}
N`,
      /^firewall-cmd --permanent --zone=trusted --add-source=10\.0\.0\.0\/8/,
    ],
    [
      'ufw',
      `iptables-nft -N ufw-before-forward; iptables-nft -N ufw-user-forward
       iptables-nft -A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
       iptables-nft -A ufw-before-forward -p icmp -m icmp --icmp-type 8 -j ACCEPT
       iptables-nft -A ufw-before-forward -j ufw-user-forward
       iptables-nft -A FORWARD -j ufw-before-forward; iptables-nft -P FORWARD DROP`,
      /^ufw route allow from 10\.0\.0\.0\/8/,
    ],
  ])('rules as %s writes them', async (name, script, cure) => {
    await broken(host, script, `${EMPTY}; iptables-nft -X`)
    await ring(host)
    await fails(host, 'drops of others', new RegExp(name), BY_ITSELF)
    expect((await foundOn(host, 'forward-drop')).cure[0]).toMatch(cure)
  })

  test('rules in both variants of iptables', async () => {
    const undo = 'iptables-legacy -F; iptables-nft -F'
    await broken(
      host,
      'iptables-nft -A INPUT -s 192.0.2.1 -j ACCEPT; iptables-legacy -A INPUT -s 192.0.2.1 -j ACCEPT',
      undo,
    )
    await ring(host)
    await fails(host, 'variants of iptables', /^/, BY_ITSELF)
    expect((await foundOn(host, 'iptables-mixed')).severity).toBe('risk')
    await sh(host, undo)
    await healthy(host)
  })

  test('docker0 on another subnet, and containers with a larger MTU', async () => {
    const [address = ''] = /\S+\/20/.exec(await sh(host, 'ip -br -4 address show docker0')) ?? []
    await broken(host, 'ip link set c0 mtu 1500', 'ip link set c0 mtu 1450')
    await ring(host)
    await fails(host, 'container bridge', /^/, BY_ITSELF)
    expect((await foundOn(host, 'bridge-mtu-larger')).summary).toMatch(/MTU of 1500, the overlay carries 1450/)
    await sh(host, 'ip link set c0 mtu 1450')
    await broken(
      host,
      `ip address add 10.99.0.1/24 dev docker0; ip address del ${address} dev docker0`,
      `ip address flush dev docker0; ip address add ${address} dev docker0`,
    )
    await fails(host, 'container bridge', /10\.99\.0\.1/, BY_ITSELF)
    expect((await foundOn(host, 'bridge-on-other-subnet')).summary).toContain('docker0 has 10.99.0.1/24')
  })

  test('what comes in by its bridge is not passed on: --fix turns it on', async () => {
    await broken(host, 'sysctl -qw net.ipv4.conf.docker0.forwarding=0', 'sysctl -qw net.ipv4.conf.docker0.forwarding=1')
    await ring(host)
    await fails(host, 'net.ipv4.conf.docker0.forwarding', /^/, BY_ITSELF)
    await foundOn(host, 'forwarding-off-on-interface')
    expect(await doctorOn(host, '--fix', '--yes')).toEqual({ code: 0, findings: [] })
    expect((await sh(host, 'sysctl -n net.ipv4.conf.docker0.forwarding')).trim()).toBe('1')
  })
})

test('a host whose table of connections is full', async () => {
  const host = lab().host(1) // what is new on it goes nowhere for as long as that lasts
  await sh(
    host,
    `sysctl -qw net.netfilter.nf_conntrack_udp_timeout=20
     nft 'add table ip tracks; add chain ip tracks out { type filter hook output priority 0; ct state new counter; }'`,
  )
  await host.place.exec('python3', ['-c', FILL], { timeoutMs: 90_000 }) // some 270 000 packets
  await ring(host)
  const [, { findings }] = await Promise.all([
    fails(host, 'table of connections', /^is full/, BY_ITSELF),
    doctorOn(host),
  ])
  const finding = findings.find(({ cause }) => cause === 'conntrack-full')
  expect(finding?.cure[0]).toMatch(/nf_conntrack_max=\d+/)
  await sh(host, 'nft delete table ip tracks')
})

describe('a host whose agent ends', () => {
  test('does not forward, nobody keeps it up: --fix turns it on; where /proc/sys is read-only, it is left to the host', async () => {
    const host = lab().host(0)
    await host.agent.stop()
    await sh(host, 'sysctl -qw net.ipv4.ip_forward=0')
    const etcd = `--etcd-endpoints=${lab().etcd.endpoints.join(',')}`
    expect(causesOf(await doctorOn(host, etcd))).toEqual(['agent-not-running', 'ip-forward-off'])
    expect(causesOf(await doctorOn(host, etcd, '--fix', '--yes'))).toEqual(['agent-not-running'])
    await sh(
      host,
      'sysctl -qw net.ipv4.ip_forward=0; mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys',
    )
    onTestFinished(() => sh(host, 'umount --lazy /proc/sys || true').then(() => undefined))
    host.agent.start()
    await fails(host, 'net.ipv4.ip_forward', /^/, BY_ITSELF)
    expect(causesOf(await doctorOn(host))).toContain('ip-forward-read-only')
    // what reads a setting just then keeps its mount busy
    await sh(host, 'umount --lazy /proc/sys')
    await holds(host, 'net.ipv4.ip_forward', { deadlineMs: 20_000 })
    await healthy(host)
  })

  test('has no room for its subnet file', async () => {
    const host = lab().host(0)
    await host.agent.stop()
    await sh(host, 'mkdir /run/full; mount -t tmpfs -o size=4k tmpfs /run/full; head -c 4096 /dev/zero > /run/full/all')
    onTestFinished(async () => {
      await host.agent.stop()
    })
    host.agent.start(['--subnet-file=/run/full/subnet.env', '--status-socket=/run/flannel/flanneld.sock'])
    await fails(host, 'subnet file', /^cannot be written: ENOSPC/, BY_ITSELF)
    const told = await doctorOn(host)
    expect(causesOf(told)).toEqual(['subnet-file-unwritable'])
    expect(told.findings[0]?.cure[0]).toContain('make room')
  })
})

describe('a host whose store is not what it takes it for', () => {
  test('a clock two hours behind is said by itself, and found where doctor has it too', async () => {
    const host = lab().host(1)
    await fails(host, 'clock', /^/, BY_ITSELF)
    const [command, ...args] = underFakeClock([...AGENT, 'doctor', '--json'])
    const { stdout } = await host.place.attempt(command, args)
    expect(stdout).toMatch(/"cause": *"clock-off"/)
    expect(stdout).toMatch(/clock of this host is 7\d\d\d s behind that of etcd/)
    await setClock(host.place, '+0')
  })

  test('a wrong password, before the agent ever had a lease', async () => {
    const host = lab().host(0)
    for (const command of ['user add root:rootpw', 'user grant-role root root', 'auth enable'])
      await lab().etcdctl(...command.split(' '))
    lab().etcd.user = 'root:rootpw'
    host.agent.start(['--etcd-username=root', '--etcd-password=wrong'])
    await fails(host, 'network configuration', /^/, BY_ITSELF)
    const told = await doctorOn(host)
    expect(causesOf(told)).toEqual(['etcd-password'])
    expect(JSON.stringify(told)).not.toContain('password=wrong')
  })
})
