import { beforeEach, describe, expect, it } from 'vitest'
import { cleanUp, type CleanupPorts } from '../../../src/cleanup/clean-up.ts'
import { decommission } from '../../../src/cleanup/decommission.ts'
import { prefix } from '../../../src/net/prefix.ts'
import { FirewallError } from '../../../src/kernel/firewall.ts'
import { PeerFilterError } from '../../../src/kernel/peer-filter.ts'
import { FakeClock } from '../../fake/fake-clock.ts'
import { FakeKernel } from '../../fake/fake-kernel.ts'
import { FakeLeaseStore } from '../../fake/fake-lease-store.ts'
import { deviceSpecOn, leaseValue, NODE } from '../../fake/samples.ts'

const forever = new AbortController().signal
const FILE = '/run/flannel/subnet.env'
const DEVICE = 'device flannel.100 with its addresses, routes, neighbours and forwarding entries'
const EVERYTHING = [
  `subnet file ${FILE}`,
  'blackhole route 10.15.64.0/20 metric 5',
  DEVICE,
  'peer filter in nftables',
  'iptables chain',
]

const DONE = { kept: [], failures: [], carries: false }

/** A host with one of each, in memory. */
class FakeHost implements CleanupPorts {
  readonly kernel = new FakeKernel()
  rules = ['iptables chain']
  hasFilter = true
  hasFile = true

  constructor() {
    const spec = deviceSpecOn(this.kernel.addCard('eth0').index)
    const destination = prefix('10.15.64.0/20')
    this.kernel.outside(
      { op: 'link.create', spec },
      { op: 'route.replace', destination, type: 'blackhole', metric: 5, protocol: '70' },
    )
  }

  readonly firewall: CleanupPorts['firewall'] = {
    planRemoval: () => Promise.resolve({ standing: this.rules, problems: [] }),
    removeAll: () => {
      this.rules = []
      return Promise.resolve({ changed: [], stands: true, problems: [] })
    },
  }

  readonly peerFilter: CleanupPorts['peerFilter'] = {
    read: () =>
      Promise.resolve(
        this.hasFilter
          ? { isWhole: false, peers: undefined, drops: { packets: 0, forged: 0 }, oneWay: undefined }
          : undefined,
      ),
    remove: () => {
      this.hasFilter = false
      return Promise.resolve(true)
    },
  }

  listPeers: CleanupPorts['listPeers'] = undefined

  readonly files: CleanupPorts['files'] = {
    find: () =>
      Promise.resolve({
        path: FILE,
        content: this.hasFile ? 'subnet' : 'none',
        subnets: [],
        networks: [],
        temporaryFiles: [],
      }),
    remove: () => {
      this.hasFile = false
      return Promise.resolve()
    },
  }
}

let host: FakeHost

beforeEach(() => {
  host = new FakeHost()
})

describe('cleanUp', () => {
  it('removes everything of ours once, and finds nothing the second time', async () => {
    expect(await cleanUp(host, false, forever)).toEqual({ ...DONE, removed: EVERYTHING })
    expect(host.kernel.tables.routes.size).toBe(0)
    expect([...host.kernel.tables.links.values()].map(({ name }) => name)).toEqual(['lo', 'eth0'])
    expect(await cleanUp(host, false, forever)).toEqual({ ...DONE, removed: [] })
  })

  it('says the same and changes nothing when it only looks', async () => {
    expect(await cleanUp(host, true, forever)).toEqual({ ...DONE, removed: EVERYTHING, carries: true })
    expect(host.kernel.stats().writes).toBe(0)
    expect(host).toMatchObject({ rules: ['iptables chain'], hasFilter: true, hasFile: true })
  })

  it('names what it cannot remove, and goes on', async () => {
    host.kernel.faults.refuse = ({ op }) => (op === 'link.delete' ? 'EPERM' : undefined)
    host.files.remove = () => Promise.reject(new Error('EROFS: read-only file system'))
    const problems = [new FirewallError('iptables-restore', 'REFUSED', 'iptables-restore failed')]
    host.firewall.removeAll = () => Promise.resolve({ changed: [], stands: true, problems })
    const { removed, failures, carries } = await cleanUp(host, false, forever)
    expect(carries).toBe(true)
    expect(removed).toEqual(['blackhole route 10.15.64.0/20 metric 5', 'peer filter in nftables'])
    expect(failures).toEqual([
      `subnet file ${FILE}: EROFS: read-only file system`,
      expect.stringMatching(`^${DEVICE}: refused`),
      'iptables chain: iptables-restore failed',
    ])
  })

  it('names what it cannot look at, and removes the rest', async () => {
    host.peerFilter.read = () =>
      Promise.reject(new PeerFilterError({ op: 'read', code: 'REFUSED', message: 'you must be root' }))
    host.files.find = () => Promise.reject(new Error('EISDIR'))
    const problems = [new FirewallError('nft', 'NO_JSON', 'nft cannot write JSON')]
    const { planRemoval } = host.firewall
    host.firewall.planRemoval = async (signal) => ({ ...(await planRemoval(signal)), problems })
    const { removed, failures } = await cleanUp(host, false, forever)
    expect(removed).toEqual(['blackhole route 10.15.64.0/20 metric 5', DEVICE, 'iptables chain'])
    expect(failures).toEqual([
      'subnet file: EISDIR',
      'firewall rules: nft cannot write JSON',
      'peer filter: you must be root',
    ])
  })

  it('names leases that it cannot ask for, and removes the rest', async () => {
    host.listPeers = () => Promise.reject(new Error('etcd is out of reach'))
    const { removed, failures } = await cleanUp(host, false, forever)
    expect(removed).toEqual(EVERYTHING)
    expect(failures).toEqual(['leases in etcd: etcd is out of reach'])
  })

  it('takes a missing nft for no filter', async () => {
    host.peerFilter.read = () => Promise.reject(new PeerFilterError({ op: 'read', code: 'MISSING', message: 'no nft' }))
    expect((await cleanUp(host, false, forever)).failures).toEqual([])
  })

  it('tells when somebody puts a thing back', async () => {
    host.files.remove = () => Promise.resolve()
    const { removed, failures } = await cleanUp(host, false, forever)
    expect(removed).toEqual(EVERYTHING.slice(1))
    expect(failures).toEqual([expect.stringContaining('is a flanneld running?')])
  })

  it('does not claim success where it can no longer look', async () => {
    host.kernel.faults.refuse = () => 'EPERM'
    let looks = 0
    const links = [...host.kernel.tables.links.values()]
    host.kernel.links = () => (++looks === 1 ? Promise.resolve(links) : Promise.reject(new Error('ENOBUFS')))
    const { removed, failures, carries } = await cleanUp(host, false, forever)
    expect(carries).toBe(true)
    expect(removed).not.toContain(DEVICE)
    expect(failures).toContainEqual(expect.stringMatching(`^${DEVICE}: refused`))
  })

  it('decommissioned, gives its leases back once nothing here uses the subnet, and judges them by what was there before', async () => {
    const [store, clock] = [new FakeLeaseStore(), new FakeClock()]
    const leases = { store, clock, prefix: '/net', random: () => 0.5, instance: 'this' }
    const lease = leaseValue({ publicIp: '203.0.113.9', mac: '02:00:00:00:00:01' })
    const { etcd } = store
    etcd.put('10.15.64.0-20', lease, etcd.grant(86_400))

    host.kernel.faults.refuse = ({ op }) => (op === 'link.delete' ? 'EPERM' : undefined)
    const refused = await decommission(host, leases, NODE, false, forever)
    expect(refused).toMatchObject({
      released: [],
      failures: [expect.stringMatching(/^device/), expect.stringMatching(/^leases: they were not given back/)],
    })
    expect(etcd.records).toHaveLength(1)

    host.kernel.faults = {}
    const dry = await decommission(host, leases, NODE, true, forever)
    const wet = await decommission(host, leases, NODE, false, forever)
    expect([dry, wet]).toMatchObject(Array(2).fill({ released: ['lease 10.15.64.0-20'], failures: [] }))
    expect(wet.removed).toContain(DEVICE)
    expect(etcd.records).toEqual([])
  })

  it('decommissioned, speaks of leases that only the subnet file names', async () => {
    const [store, clock] = [new FakeLeaseStore(), new FakeClock()]
    const leases = { store, clock, prefix: '/net', random: () => 0.5, instance: 'this' }
    const { etcd } = store
    etcd.put('10.15.64.0-20', leaseValue({ publicIp: '203.0.113.9', mac: '02:00:00:00:00:99' }), etcd.grant(86_400))
    const find = host.files.find()
    host.files.find = async () => ({ ...(await find), subnets: [prefix('10.15.64.0/20')] })
    const { released, kept } = await decommission(host, leases, NODE, false, forever)
    expect(released).toEqual([])
    expect(kept).toEqual([expect.stringMatching(/^lease 10\.15\.64\.0-20: the subnet file names it/)])
    expect(etcd.records).toHaveLength(1)
  })

  it('stops when it is asked to', async () => {
    const stop = new AbortController()
    host.files.remove = () => {
      stop.abort(new Error('stopped'))
      return Promise.reject(new Error('interrupted'))
    }
    await expect(cleanUp(host, false, stop.signal)).rejects.toThrow('stopped')
    expect(host.rules).toHaveLength(1)
  })
})
