import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { NodeIdentity } from '../../../src/lease/lease.ts'
import { ip } from '../../../src/net/ip.ts'
import { mac } from '../../../src/net/mac.ts'
import { prefix } from '../../../src/net/prefix.ts'
import type { KernelOp } from '../../../src/kernel/kernel.ts'
import { planFor, type Plan } from '../../../src/plan/plan.ts'
import { scriptOf } from '../../../src/plan/script.ts'
import { isReadingFiles } from '../../../src/plan/stillness.ts'
import { AgentWorld, CONFIG, upstreamLease } from '../../fake/agent-world.ts'

const NODE: NodeIdentity = { id: 'a'.repeat(32), hostname: 'host1' }
const UDP_CONFIG = '{"Network":"10.0.0.0/8","SubnetLen":20,"Backend":{"Type":"udp"}}'
const PEERS = ['10.1.0.0-20', '10.2.0.0-20', '10.3.0.0-20']

let world: AgentWorld

beforeEach(async () => {
  world = await AgentWorld.create()
  world.sysctls.set('net/ipv6/conf/all/accept_ra', '1')
  world.etcd.putConfig(CONFIG)
  PEERS.forEach((key, at) => world.etcd.put(key, upstreamLease(at + 20)))
})

afterEach(async () => {
  await world.close()
})

/** An agent has brought everything about, and was stopped. */
async function hasRun(): Promise<void> {
  await world.start({}, NODE)
  await world.until('forwarding', () => world.forwards())
  await world.until('subnet file', async () => (await world.readSubnetFile()) !== undefined)
  await world.stop()
}

async function plan(config = CONFIG): Promise<Plan> {
  const signal = new AbortController().signal
  const { kernel, store } = world
  const { random, instance, readResolvers, deriveCopyId, deriveMac, readSysctl } = world.makePorts(NODE)
  const host = { node: NODE, random, instance, readResolvers, deriveCopyId, deriveMac, readSysctl, kernel }
  return planFor(
    world.options(),
    {
      ...host,
      store: {
        list: await store.list(signal),
        config: { value: config, modRevision: 1n },
        saidAt: (key, revision, stop) => store.saidAt(key, revision, stop),
      },
      resolveHost: () => Promise.resolve([]),
      runProgram: () => Promise.resolve(''),
      makeFirewall: () => ({ firewall: world.firewall, peerFilter: world.peerFilter }),
      isReadingFiles,
    },
    signal,
  )
}

const linesOf = ({ changes }: Plan): readonly string[] => scriptOf(changes).flatMap(({ lines }) => lines)

function onLinks(op: KernelOp, linkIndex: number, underlayIndex: number): KernelOp {
  if (op.op === 'link.create') return { ...op, spec: { ...op.spec, vxlan: { ...op.spec.vxlan, underlayIndex } } }
  return op.linkIndex === undefined ? op : { ...op, linkIndex }
}

/** Carries out what is planned for the kernel and its settings, as the printed lines would. */
function carryOut({ changes }: Plan): void {
  for (const change of changes) {
    if (change.on === 'setting') world.sysctls.set(change.name.join('/'), change.value)
    if (change.on !== 'kernel') continue
    const { op, link, over } = change
    const real = (name: string | undefined): number => world.kernel.indexOf(name ?? '') ?? 0
    world.kernel.outside(onLinks(op, real(link), real(over)))
  }
}

describe('plan', () => {
  it('names the lease that agents reject, and why', async () => {
    world.etcd.put('10.9.0.0-20', '{}')
    const { notes } = await plan()
    expect(notes).toContainEqual(expect.stringMatching(/^lease rejected; lease: 10\.9\.0\.0-20; reason: .*PublicIP/))
  })

  it('is empty where an agent has been, and reads alone', async () => {
    await hasRun()
    const { writes } = world.kernel.stats()
    const records = world.etcd.records
    const { changes, isWhole, reasons } = await plan()
    expect([changes, reasons, isWhole]).toEqual([[], [], true])
    expect(world.kernel.stats().writes).toBe(writes)
    expect(world.etcd.records).toEqual(records)
  })

  it('beside an agent of udp makes its device anew, which goes with that agent, and takes no other for it', async () => {
    world.etcd.putConfig(UDP_CONFIG)
    await world.start({}, NODE)
    await world.until('forwarding', () => world.forwards())
    await world.until('subnet file', async () => (await world.readSubnetFile()) !== undefined)
    const made = await plan(UDP_CONFIG)
    expect(linesOf(made)).toEqual([
      '# flanneld makes the TUN device flannel0 and carries its packets: it is there while flanneld runs',
      'ip link set dev flannel0 addrgenmode none',
      'ip link set dev flannel0 mtu 1472',
      'ip link set dev flannel0 alias flannel-agent',
      expect.stringMatching(/^ip address add 10\.[0-9.]+\/32 dev flannel0$/),
      'ip link set dev flannel0 up',
      'echo 0 > /proc/sys/net/ipv6/conf/flannel0/accept_ra',
      'ip route replace 10.0.0.0/8 dev flannel0 proto 70 metric 1',
    ])
    expect(made.notes.join()).not.toContain('not ours')
    expect(made.isWhole).toBe(true)
  })

  it('puts right what was altered, in the order of the reconciler, and is empty once that is done', async () => {
    await hasRun()
    const device = world.kernel.indexOf('flannel.100') ?? 0
    const stray = { linkIndex: device, metric: 7, protocol: '70', gateway: ip('10.9.0.0'), onlink: true } as const
    for (const op of [
      { op: 'neighbour.delete', linkIndex: device, ip: ip('10.1.0.0') },
      { op: 'fdb.replace', linkIndex: device, mac: mac('02:00:00:00:00:15'), remote: ip('192.168.205.99') },
      { op: 'route.replace', type: 'unicast', destination: prefix('10.9.0.0/20'), ...stray },
      { op: 'link.set', linkIndex: device, mtu: 1280 },
    ] satisfies KernelOp[])
      world.kernel.outside(op)
    const found = await plan()
    expect(linesOf(found)).toEqual([
      'ip link set dev flannel.100 mtu 1450',
      'ip neighbour replace 10.1.0.0 lladdr 02:00:00:00:00:14 dev flannel.100 nud permanent',
      'bridge fdb replace 02:00:00:00:00:15 dev flannel.100 dst 192.168.205.21 self permanent',
      'ip route delete 10.9.0.0/20 via 10.9.0.0 dev flannel.100 proto 70 metric 7',
    ])
    carryOut(found)
    expect((await plan()).changes).toEqual([])
  })

  it('makes everything on a host that is new, leases nothing, and is empty but for the lease and the file once that is done', async () => {
    const found = await plan()
    expect(found).toMatchObject({ isWhole: true, reasons: [] })
    const kinds = scriptOf(found.changes).map(({ kind }) => kind)
    expect(kinds[0]).toBe('lease')
    expect(kinds.at(-1)).toBe('subnet file')
    expect(kinds.filter((kind) => kind === 'route')).toHaveLength(PEERS.length)
    expect(linesOf(found)).toContain('echo 0 > /proc/sys/net/ipv6/conf/flannel.100/accept_ra')
    expect(kinds.indexOf('device')).toBeLessThan(kinds.indexOf('neighbour'))
    expect(world.etcd.records.map(({ key }) => key)).toEqual(PEERS)
    expect(world.kernel.stats().writes).toBe(0)
    carryOut(found)
    expect(new Set(scriptOf((await plan()).changes).map(({ kind }) => kind))).toEqual(new Set(['lease', 'subnet file']))
  })

  it('of another configuration takes the former device away last', async () => {
    await hasRun()
    const found = await plan(CONFIG.replace('100', '200'))
    const lines = linesOf(found)
    expect(lines[0]).toMatch(/^ip link add flannel\.200 .* dev eth0 dstport 8472 nolearning/)
    expect(lines).toContain('ip link delete dev flannel.100')
    expect(lines.indexOf('ip link delete dev flannel.100')).toBeGreaterThan(
      lines.findLastIndex((line) => / replace /.test(line)),
    )
    carryOut(found)
    const kinds = scriptOf((await plan(CONFIG.replace('100', '200'))).changes).map(({ kind }) => kind)
    expect(kinds).toEqual(['lease']) // which says the new VNI, and is the agent's to write
  })

  it('says why it is not whole', async () => {
    const full = '{"Network":"10.0.0.0/28","SubnetLen":30,"SubnetMin":"10.0.0.4","SubnetMax":"10.0.0.4"}'
    world.etcd.put('10.0.0.4-30', upstreamLease(40))
    const { isWhole, reasons } = await plan(full)
    expect(isWhole).toBe(false)
    expect(reasons.join()).toMatch(/out of subnets/)
  })

  it('of a configuration that cannot be read says so', async () => {
    const { isWhole, reasons } = await plan('{"Network":"10.0.0.0/8","Backend":{"Type":"vxlam"}}')
    expect([isWhole, reasons.join()]).toEqual([false, expect.stringMatching(/did you mean vxlan/)])
  })
})
