import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { OthersTask } from '../../../../src/agent/host/others-task.ts'
import type { OverlayView } from '../../../../src/agent/host/overlay-view.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import type { ForeignVerdict } from '../../../../src/kernel/foreign-rules.ts'
import type { LinkState } from '../../../../src/kernel/kernel.ts'
import { ip } from '../../../../src/net/ip.ts'
import { prefix } from '../../../../src/net/prefix.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { FakeForeignRules } from '../../../fake/fake-foreign-rules.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { recordingLog, type RecordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'

const SUBNET = prefix('10.15.1.0/24')
const FIRST_LOOK_MS = 1_000
const SURE_MS = 2_000
const MINUTE_MS = 60_000
const CNI0 = 'net.ipv4.conf.cni0.forwarding'
const ETH0 = 'net.ipv4.conf.eth0.forwarding'

const FIREWALLD: ForeignVerdict = { kind: 'forward', place: 'firewalld', does: 'drops', cure: 'stop it' }
const DOCKER: ForeignVerdict = { kind: 'masquerade', place: 'Docker', does: 'rewrites', cure: 'stop it' }

let clock: FakeClock
let kernel: FakeKernel
let rules: FakeForeignRules
let log: RecordingLog
let conditions: Conditions
let settings: Map<string, string>
let view: OverlayView
let task: OthersTask
let stop: AbortController
let running: Promise<void>

beforeEach(() => {
  clock = new FakeClock()
  kernel = new FakeKernel()
  rules = new FakeForeignRules()
  log = recordingLog()
  conditions = new Conditions({ clock, log })
  settings = new Map()
  const network = prefix('10.15.0.0/16')
  const address = ip('192.168.205.10')
  view = {
    parts: [{ family: 4, network, subnet: SUBNET, device: 'flannel.100' }],
    tunnels: [{ family: 4, link: 'eth0', address, network, port: 8472 }],
    entrances: [],
  }
  kernel.addCard('flannel.100', { mtu: 1450 })
  stop = new AbortController()
})

afterEach(async () => {
  stop.abort()
  await running
  expect(clock.sleeping).toBe(0)
})

async function start(): Promise<void> {
  const readSysctl = (name: readonly string[]): Promise<string | undefined> =>
    Promise.resolve(settings.get(name.join('/')))
  const ports = { kernel, clock, conditions, foreignRules: rules, readSysctl }
  task = new OthersTask({ ports, view: () => view })
  running = runTask(task, runtime(clock, stop.signal))
  await clock.settle()
}

async function begin(): Promise<void> {
  await start()
  task.begin()
  await clock.advance(FIRST_LOOK_MS + SURE_MS)
}

function addBridge(): LinkState {
  const link = kernel.addCard('cni0', { kind: 'bridge' })
  kernel.outside({ op: 'address.add', linkIndex: link.index, ip: ip('10.15.1.1'), prefixLength: 24 })
  return link
}

const failing = (): readonly string[] =>
  conditions.all().map(({ what, reason, effect }) => `${effect} ${what}: ${reason}`)

describe('what others do to the overlay', () => {
  test('is not looked for before it stands, and then once a minute', async () => {
    await start()
    await clock.advance(10 * MINUTE_MS)
    expect(rules.looks).toBe(0)
    task.begin()
    await clock.advance(FIRST_LOOK_MS)
    expect(rules.looks).toBe(1)
    await clock.advance(10 * (MINUTE_MS + FIRST_LOOK_MS))
    expect(rules.looks).toBe(11)
    expect([failing(), log.lines]).toEqual([[], []])
  })

  test('is asked for the overlay as it is, with the bridge that is there', async () => {
    addBridge()
    await begin()
    expect(rules.asked).toEqual({ paths: [{ ...view.parts[0], bridge: 'cni0' }], tunnels: view.tunnels })
  })

  test('degrades the node while it lasts; one line says so, and one when it is over', async () => {
    rules.verdicts = { drops: [FIREWALLD], masquerades: [DOCKER] }
    await begin()
    expect(failing()).toEqual([
      'degraded drops of others: firewalld drops. Cure: stop it',
      'degraded masquerading of others: Docker rewrites. Cure: stop it',
    ])
    await clock.advance(10 * MINUTE_MS)
    rules.verdicts = { drops: [], masquerades: [] }
    await clock.advance(MINUTE_MS)
    expect(failing()).toEqual([])
    expect(log.lines).toEqual([
      'warn drops of others: firewalld drops. Cure: stop it',
      'warn masquerading of others: Docker rewrites. Cure: stop it',
      'info drops of others: works now',
      'info masquerading of others: works now',
    ])
  })

  test('names rules in both variants of iptables, which does not degrade the node', async () => {
    rules.verdicts = { drops: [], masquerades: [], mixed: [{ family: 4, used: 'nft', ofNft: 3, ofLegacy: 2 }] }
    await begin()
    expect(failing()).toEqual([
      expect.stringMatching(
        /^none variants of iptables: 3 rules of IPv4 .* 2 in iptables-legacy.* iptables-legacy -F$/,
      ),
    ])
    rules.verdicts = { drops: [], masquerades: [] }
    await clock.advance(MINUTE_MS)
    expect(failing()).toEqual([])
  })

  test('degrades the node while the table of connections is full, and says so once, whatever the numbers are', async () => {
    settings.set('net/netfilter/nf_conntrack_max', '1000')
    settings.set('net/netfilter/nf_conntrack_count', '949')
    await begin()
    expect(failing()).toEqual([])
    settings.set('net/netfilter/nf_conntrack_count', '950')
    await clock.advance(MINUTE_MS)
    settings.set('net/netfilter/nf_conntrack_count', '999')
    await clock.advance(MINUTE_MS)
    expect(failing()).toEqual([
      expect.stringMatching(
        /^degraded table of connections: is full, .*sysctl -w net\.netfilter\.nf_conntrack_max=2000/,
      ),
    ])
    settings.set('net/netfilter/nf_conntrack_count', '10')
    await clock.advance(MINUTE_MS)
    expect(failing()).toEqual([])
    expect(log.lines).toHaveLength(2)
  })

  test('that is so for a moment only, as when rules are reloaded, is not said', async () => {
    rules.verdicts = { drops: [FIREWALLD], masquerades: [] }
    await start()
    task.begin()
    await clock.advance(FIRST_LOOK_MS)
    rules.verdicts = { drops: [], masquerades: [] }
    await clock.advance(SURE_MS)
    expect([rules.looks, failing(), log.lines]).toEqual([2, [], []])
  })

  test('stays said while the rules cannot be read', async () => {
    rules.verdicts = { drops: [FIREWALLD], masquerades: [] }
    await begin()
    rules.verdicts = undefined
    await clock.advance(5 * MINUTE_MS)
    expect(failing()).toEqual(['degraded drops of others: firewalld drops. Cure: stop it'])
  })

  test('is looked for again when the bridge comes, and seldom where a look takes long', async () => {
    await begin()
    const link = addBridge()
    const address = {
      linkIndex: link.index,
      ip: ip('10.15.1.1'),
      prefixLength: 24,
      scope: 'global',
      flags: [],
    } as const
    task.observe({ kind: 'address', address, gone: false })
    await clock.advance(FIRST_LOOK_MS)
    expect(rules.looks).toBe(2)
    task.observe({ kind: 'address', address: { ...address, ip: ip('192.168.1.1') }, gone: false })
    await clock.advance(FIRST_LOOK_MS)
    expect(rules.looks).toBe(2)
    const judge = rules.judge.bind(rules)
    rules.judge = async (...asked) => {
      await clock.sleep(3_000, stop.signal)
      return judge(...asked)
    }
    await clock.advance(MINUTE_MS + 3_000)
    expect(rules.looks).toBe(3)
    await clock.advance(9 * MINUTE_MS)
    expect(rules.looks).toBe(3)
  })
})

describe('interfaces of others that do not pass on', () => {
  test('the bridge, and the underlay where packets come in by it, keep the node from being ready, with the cure', async () => {
    addBridge()
    view = { ...view, entrances: ['eth0'] }
    settings.set('net/ipv4/conf/cni0/forwarding', '0').set('net/ipv4/conf/eth0/forwarding', '0')
    await begin()
    expect(failing()).toEqual([
      `incomplete ${CNI0}: is 0: what comes in by cni0 is not passed on. Cure: sysctl -w ${CNI0}=1, and the same in /etc/sysctl.d`,
      expect.stringContaining(`incomplete ${ETH0}: is 0`),
    ])
    settings.set('net/ipv4/conf/cni0/forwarding', '1').set('net/ipv4/conf/eth0/forwarding', '1')
    await clock.advance(MINUTE_MS)
    expect(failing()).toEqual([])
  })

  test('an underlay that carries tunnels alone may be deaf; a bridge that goes takes what was wrong with it along', async () => {
    const { index } = addBridge()
    settings.set('net/ipv4/conf/cni0/forwarding', '0').set('net/ipv4/conf/eth0/forwarding', '0')
    await begin()
    expect(failing()).toEqual([expect.stringContaining(CNI0)])
    kernel.outside({ op: 'link.delete', linkIndex: index })
    await clock.advance(MINUTE_MS)
    expect(failing()).toEqual([])
  })
})
