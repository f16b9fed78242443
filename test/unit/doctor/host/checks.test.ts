import { describe, expect, it } from 'vitest'
import { curesOf } from '../../../../src/doctor/condition-cures.ts'
import type { Finding } from '../../../../src/doctor/finding.ts'
import { examine } from '../../../../src/doctor/examine.ts'
import { rulesOfOthers } from '../../../../src/doctor/packets/rules-of-others.ts'
import { HOST_CHECKS } from '../../../../src/doctor/host/checks.ts'
import { ip } from '../../../../src/net/ip.ts'
import { condition, fakeView, fault, type Shown } from '../../../fake/fake-view.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { samplePeer, sampleStatus } from '../../../fake/status-samples.ts'

const { signal } = new AbortController()
const healthy = sampleStatus([samplePeer(1)])
const FORWARDS = '/proc/sys/net/ipv4/ip_forward'
const COUNT = '/proc/sys/net/netfilter/nf_conntrack_count'
const MOST = '/proc/sys/net/netfilter/nf_conntrack_max'
const SUBNET_FILE = '/run/flannel/subnet.env'
const FILES = {
  ...{ [FORWARDS]: '1', [COUNT]: '12', [MOST]: '262144' },
  ...{ '/sys/module/vxlan/refcnt': '0', '/proc/sys/kernel/osrelease': '6.1.0-9' },
  ...{ '/proc/sys/net/ipv4/conf/flannel.1/forwarding': '1', [SUBNET_FILE]: 'FLANNEL_SUBNET=10.15.0.1/20' },
}

async function found(shown: Shown): Promise<readonly Finding[]> {
  const { view } = fakeView({ agent: healthy, ...shown, files: { ...FILES, ...shown.files } })
  return (await Promise.all(HOST_CHECKS.map((check) => check.look(view, signal)))).flat()
}
const agentWith = (...conditions: readonly ReturnType<typeof condition>[]) => ({ ...healthy, conditions })

it('a healthy host has no finding', async () => {
  expect(await found({})).toEqual([])
})

describe('forwarding', () => {
  it('that is off is turned on by --fix', async () => {
    expect(await found({ files: { [FORWARDS]: '0' } })).toMatchObject([
      { cause: 'ip-forward-off', fix: [['sysctl', '-w', 'net.ipv4.ip_forward=1']], explains: ['net.ipv4.ip_forward'] },
    ])
  })

  it.each([
    [
      'the agent is refused',
      agentWith(condition('net.ipv4.ip_forward', { fault: fault({ error: 'Error', code: 'EROFS' }) })),
      '',
    ],
    ['it is mounted so', healthy, 'proc /proc proc rw 0 0\nproc /proc/sys proc ro,nosuid 0 0'],
  ])('that cannot be turned on, since %s, is left to who starts the container', async (_, agent, mounts) => {
    const [finding, ...more] = await found({ agent, files: { [FORWARDS]: '0', '/proc/self/mounts': mounts } })
    expect(more).toEqual([])
    expect(finding).toMatchObject({ cause: 'ip-forward-read-only', severity: 'broken' })
    expect(finding?.fix).toBeUndefined()
  })

  it('that is off on one interface alone names it', async () => {
    const name = '/proc/sys/net/ipv4/conf/cni0/forwarding'
    expect(await found({ files: { [name]: '0' } })).toMatchObject([
      { cause: 'forwarding-off-on-interface', explains: ['net.ipv4.conf.cni0.forwarding'] },
    ])
  })
})

describe('the table of connections', () => {
  const STAT =
    'entries  found drop early_drop\n00000010  00000000 0000000a 00000000\n00000010  00000000 00000006 00000000\n'

  it('that is full is named, with what was dropped', async () => {
    const files = { [COUNT]: '250000', '/proc/net/stat/nf_conntrack': STAT }
    const [finding] = await found({ files })
    expect(finding).toMatchObject({ cause: 'conntrack-full', severity: 'broken', explains: ['table of connections'] })
    expect(finding?.evidence.join('\n')).toMatch(/count: 250000.*max: 262144\n.*drop: 16;/)
    expect(await found({ files: { [COUNT]: '240000' } })).toEqual([])
  })

  it('that the kernel has not is well', async () => {
    expect(await found({ files: { [COUNT]: '' } })).toEqual([])
  })
})

describe('rules of the firewall', () => {
  const drop = {
    kind: 'forward',
    place: 'the policy of nftables ip filter, chain FORWARD,',
    does: 'drops packets',
    cure: 'ufw route allow',
  } as const

  it('that drop what is forwarded are named with their cure; where our accept is off, that too', async () => {
    const verdicts = { drops: [drop, { ...drop, kind: 'tunnel' as const }], masquerades: [] }
    const [finding, ...more] = await found({ verdicts })
    expect(more).toEqual([])
    expect(finding).toMatchObject({ cause: 'forward-drop', cure: ['ufw route allow'], explains: ['drops of others'] })
    expect(finding?.summary).toBe('the policy of nftables ip filter, chain FORWARD, drops packets')
    const { configuration } = healthy
    if (configuration === null) throw new Error('none')
    const flags = { 'iptables-forward-rules': 'false' }
    const [off] = await found({ verdicts, agent: { ...healthy, configuration: { ...configuration, flags } } })
    expect(off?.cure).toContainEqual(expect.stringContaining('FLANNELD_IPTABLES_FORWARD_RULES=true'))
  })

  it('that cannot be read are not said to be well, and what the agent says of them stands', async () => {
    const reason = 'iptables filter, chain INPUT, drops what peers send to UDP port 8472'
    const agent = agentWith(condition('drops of others', { reason }))
    const { view } = fakeView({ agent, verdicts: 'nft failed: you must be root', files: FILES })
    const { found: all, notLookedInto } = await examine([...HOST_CHECKS, rulesOfOthers], view, {
      ...{ clock: new FakeClock(), signal },
    })
    expect(all).toMatchObject([{ cause: 'udp-port-dropped-here', covers: 'all peers' }])
    expect(notLookedInto).toEqual([
      { what: 'rules of the firewall', why: 'nft failed: you must be root' },
      { what: 'what rules of others do to the overlay', why: 'nft failed: you must be root' },
    ])
  })

  it('in both variants of iptables are a risk', async () => {
    const mixed = [{ family: 4, used: 'nft', ofNft: 9, ofLegacy: 2 } as const]
    const [finding] = await found({ verdicts: { drops: [], masquerades: [], mixed } })
    expect(finding).toMatchObject({ cause: 'iptables-mixed', severity: 'risk', explains: ['variants of iptables'] })
    expect(finding?.cure.join()).toMatch(/--set iptables \/usr\/sbin\/iptables-nft.*iptables-legacy -F/)
  })

  it.each([
    ['MISSING', 'iptables-save', 'firewall-tool-missing'],
    ['MISSING', 'nft', 'firewall-tool-missing'],
    ['BLOCKED', 'iptables-save', 'forward-drop'],
    ['FAILED', 'iptables-restore', 'firewall-not-written'],
  ])('of the agent that fail with %s of %s', async (code, target, cause) => {
    const failing = condition('firewall', { fault: fault({ error: 'FirewallError', code, target }) })
    expect(await found({ agent: agentWith(failing) })).toMatchObject([{ cause, explains: ['firewall'] }])
  })

  it('of the agent that somebody keeps changing', async () => {
    expect(await found({ agent: agentWith(condition('firewall')) })).toMatchObject([{ cause: 'firewall-contested' }])
  })
})

it('a bridge on another subnet is named as its address says', async () => {
  const kernel = new FakeKernel()
  kernel.addCard('flannel.1', { mtu: 1450 })
  const { index } = kernel.addCard('docker0', { kind: 'bridge' })
  kernel.outside({ op: 'address.add', linkIndex: index, ip: ip('10.99.0.1'), prefixLength: 24 })
  const [finding] = await found({ kernel })
  expect(finding).toMatchObject({ cause: 'bridge-on-other-subnet', explains: ['container bridge'] })
  expect(finding?.summary).toContain('docker0 has 10.99.0.1/24')
})

describe('a kernel without VXLAN', () => {
  const without = { '/sys/module/vxlan/refcnt': '' }
  const DRY = 'modprobe -n -v rtnl-link-vxlan'
  const failing = condition('device flannel.1', {
    fault: fault({ error: 'KernelError', code: 'EOPNOTSUPP', says: 'Unknown device type' }),
  })

  it('is told by what the kernel answers, whatever modprobe says', async () => {
    const [finding] = await found({ agent: agentWith(failing), files: without })
    expect(finding).toMatchObject({ cause: 'kernel-without-vxlan', fix: [['modprobe', 'vxlan']] })
    expect(finding?.explains).toEqual(['device flannel.1', 'forwarding*', 'tables of*', 'subnet file'])
    expect(finding?.evidence[0]).toBe('the kernel: Unknown device type')
  })

  it('is told where its module is barred', async () => {
    const agent = agentWith(failing)
    const [finding] = await found({ agent, files: without, tools: { [DRY]: '' } })
    expect(finding?.summary).toContain('blacklisted')
    const missing = {
      code: 1,
      stdout: '',
      stderr: 'modprobe: FATAL: Module rtnl-link-vxlan not found in directory /lib/modules/6.1.0-9',
    }
    const [other] = await found({ agent, files: without, tools: { [DRY]: missing } })
    expect(other?.summary).toContain('not installed')
    expect(other?.evidence.join('\n')).toContain('FATAL: Module rtnl-link-vxlan not found')
  })

  it('is none where another fault is the device’s', async () => {
    const other = condition('device flannel.1', { fault: fault({ error: 'KernelError', code: 'EPERM' }) })
    expect(await found({ agent: agentWith(other) })).toEqual([])
  })
})

describe('the subnet file', () => {
  it('that names another subnet than that of the lease', async () => {
    const [finding] = await found({ files: { [SUBNET_FILE]: 'FLANNEL_SUBNET=10.99.0.1/20\nFLANNEL_MTU=1450' } })
    expect(finding).toMatchObject({ cause: 'subnet-file-stale', severity: 'broken' })
  })

  it('that cannot be written, for what its folder lacks', async () => {
    const failing = condition('subnet file', { fault: fault({ error: 'Error', code: 'ENOSPC' }) })
    const [finding] = await found({ agent: agentWith(failing) })
    expect(finding).toMatchObject({ cause: 'subnet-file-unwritable', explains: ['subnet file'] })
    expect(finding?.cure[0]).toContain('make room')
  })
})

describe('an agent that does not answer', () => {
  const SHOW = 'systemctl'
  const unit = (fields: Readonly<Record<string, string | number>>): string =>
    Object.entries({
      LoadState: 'loaded',
      ActiveState: 'failed',
      NRestarts: 0,
      User: '',
      CapabilityBoundingSet: 'cap_net_admin cap_net_raw',
      ...fields,
    })
      .map(([name, value]) => `${name}=${value}\n`)
      .join('')
  const causeOf = async (shown: Omit<Shown, 'agent'>): Promise<string | undefined> => {
    const { view } = fakeView({ ...shown, files: FILES })
    return (await Promise.all(HOST_CHECKS.map((check) => check.look(view, signal)))).flat()[0]?.cause
  }

  it.each([
    ['no unit, and nobody has claimed the host', { tools: {} }, 'agent-not-running'],
    ['a unit that does not run', { tools: { [SHOW]: unit({ ActiveState: 'inactive' }) } }, 'agent-not-running'],
    ['a unit that ended for its flags', { tools: { [SHOW]: unit({ ExecMainStatus: 2 }) } }, 'flags-invalid'],
    [
      'a unit that is started again and again',
      { tools: { [SHOW]: unit({ ExecMainStatus: 1, NRestarts: 7 }) } },
      'agent-crashing',
    ],
    [
      'a unit without the right',
      { tools: { [SHOW]: unit({ ExecMainStatus: 2, CapabilityBoundingSet: 'cap_net_raw' }) } },
      'agent-without-rights',
    ],
    [
      'a unit of a user without the right',
      { tools: { [SHOW]: unit({ ExecMainStatus: 2, User: 'flannel', AmbientCapabilities: '' }) } },
      'agent-without-rights',
    ],
    [
      'its own last words',
      { tools: { [SHOW]: unit({ ExecMainStatus: 2 }), journalctl: 'it lacks CAP_NET_ADMIN, or has it\n' } },
      'agent-without-rights',
    ],
    ['a process that has claimed the host', { tools: {}, claim: 4711 }, 'agent-silent'],
  ])('%s', async (_, shown, cause) => {
    expect(await causeOf(shown)).toBe(cause)
  })
})

describe('an agent that is there, and does not answer', () => {
  const judged = async (shown: Shown): Promise<Finding | undefined> => {
    const { view } = fakeView({ ...shown, claim: 80, files: { ...FILES, ...shown.files } })
    return (await Promise.all(HOST_CHECKS.map((check) => check.look(view, signal)))).flat()[0]
  }

  it('hangs where its socket takes questions: packets will be lost', async () => {
    const files = { '/proc/80/stat': '80 (a) T 1) T 1 80 80 0' }
    const finding = await judged({ isAgentSilent: true, files })
    expect(finding).toMatchObject({ cause: 'agent-silent', severity: 'broken' })
    expect(finding?.summary).toContain('the agent (pid 80) hangs: it is stopped by a signal')
    expect(finding?.evidence).toContain('/proc/80/stat: state T, stopped by a signal')
    expect(finding?.cure[0]).toContain('kill -CONT 80')
  })

  it('may have no socket, or another one, where none takes the question', async () => {
    expect(await judged({})).toMatchObject({ cause: 'agent-silent', severity: 'risk' })
  })
})

describe('a condition of which no check knows the cause', () => {
  it('has the cure that its reason says, and that of its name', () => {
    expect(curesOf('drops of others', 'x drops. Cure: ufw allow 1/udp')).toEqual(['ufw allow 1/udp'])
    expect(curesOf('way to etcd', 'is reached over eth1')).toEqual([expect.stringContaining('FLANNELD_IFACE')])
    expect(curesOf('device flannel.1', 'is taken')).toEqual([expect.stringContaining('type vxlan')])
    expect(
      curesOf('device flannel.1', 'no underlay with an IPv4 address: --iface fits none: eth0 is not there'),
    ).toEqual([expect.stringContaining('FLANNELD_IFACE=')])
    expect(curesOf('device flannel.1', 'MTU of eth0: expected at least 118 octets')).toEqual([
      expect.stringMatching(/^ip link set dev IFACE mtu/),
    ])
    expect(curesOf('device flannel.1', 'a device that was moved to another network namespace already carries')).toEqual(
      [expect.stringContaining('ip -all netns exec')],
    )
    expect(curesOf('device flannel0', '/dev/net/tun is not there')).toEqual([expect.stringContaining('type tun')])
    expect(curesOf('lease', 'two agents run under the name of Node n1: x. Cure: NODE_NAME').join()).not.toContain(
      'etcd',
    )
    expect(curesOf('something new', 'is so')).toEqual([expect.stringContaining('docs/health.md')])
  })
})
