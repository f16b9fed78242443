import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { EtcdCluster } from '../../lab/etcd-process.ts'
import { fails, holds, waitFor, type LabHost } from '../../lab/index.ts'
import { lengthOfLog, says, timesSaid } from '../../lab/log.ts'
import { ETCD_PREFIX } from '../../lab/lab.ts'
import { wholeDevice } from '../../lab/expected-tables.ts'
import { DEVICE, useLab } from '../../lab/use-lab.ts'
import { FOLLOWED_WITHIN_MS, inCircle, losesNoPing, madeUpPeer } from './etcd-overlay.ts'
import { deleteFrom, leaseNames, putInto, startEtcd, startOn, startOver } from './security-scene.ts'

const lab = useLab({ hosts: 3 })

const TOKEN_TTL_SECONDS = 2
const PASSWORD = 's3cret-pass'
const MOST_CPU = 0.05

afterEach(() => startOver(lab()))

async function knows(host: LabHost, base: string, deadlineMs = FOLLOWED_WITHIN_MS): Promise<void> {
  const look = async (): Promise<boolean> => {
    const { routes } = await host.peerTables(DEVICE)
    return routes.some(({ gateway }) => gateway === base)
  }
  await waitFor(`${host.name} to have a route by ${base}`, look, { deadlineMs })
}

const baseOf = ({ name }: { readonly name: string }): string => name.replace(/-.*/, '')

describe('an etcd with users', () => {
  let etcd: EtcdCluster

  beforeAll(async () => {
    etcd = await startEtcd(2679, { args: ['--auth-token-ttl', String(TOKEN_TTL_SECONDS), '--bcrypt-cost', '4'] })
    for (const command of [
      'user add root:rootpw',
      'user grant-role root root',
      'role add flannel',
      `role grant-permission flannel --prefix=true readwrite ${ETCD_PREFIX}/`,
      `user add agent:${PASSWORD}`,
      'user grant-role agent flannel',
      `user add stranger:${PASSWORD}`,
      'auth enable',
    ])
      await etcd.etcdctl(command.split(' '))
    etcd.user = 'root:rootpw'
  })
  afterAll(() => etcd.close())

  const as = (user: string, password = PASSWORD): readonly string[] => [
    `--etcd-username=${user}`,
    `--etcd-password=${password}`,
  ]

  test('security: name and password, and tokens that expire: leases are renewed and changes followed', async () => {
    const host = lab().host(0)
    startOn(host, etcd, as('agent'))
    const name = (await host.ready()).subnet.text.replace('/', '-')
    // nothing tells when a token has expired: it has after twice its life
    expect(await host.agent.cpuShare(2_000 * TOKEN_TTL_SECONDS), 'share of a processor').toBeLessThan(MOST_CPU)
    await deleteFrom(etcd, name)
    const isBack = async (): Promise<boolean> => (await leaseNames(etcd)).includes(name)
    await waitFor('the lease to be published again', isBack)
    await holds(host, 'etcd', { deadlineMs: 15_000 })
    await etcd.member.stop()
    await fails(host, 'etcd', /is out of reach/)
    await etcd.restart()
    await putInto(etcd, madeUpPeer(1).name, madeUpPeer(1).value)
    await knows(host, baseOf(madeUpPeer(1)))
  })

  test('security: a wrong password, a role without permission: the log says which it is, once, and never the password', async () => {
    const [wrong, stranger] = [lab().host(0), lab().host(1)]
    startOn(wrong, etcd, as('agent', 'not-it-either'))
    startOn(stranger, etcd, as('stranger'))
    await Promise.all([
      says(wrong, /warn .*(authentication failed|password)/, { deadlineMs: 20_000 }),
      says(stranger, /warn .*permission denied/, { deadlineMs: 20_000 }),
    ])
    const shares = [wrong, stranger].map(({ agent }) => agent.cpuShare(4_000))
    for (const share of await Promise.all(shares)) expect(share, 'share of a processor').toBeLessThan(MOST_CPU)
    expect(await timesSaid(wrong, /authentication failed/)).toBe(1)
    expect(await timesSaid(stranger, /permission denied/)).toBe(1)
    expect(await wrong.agent.logOfRun()).not.toContain('not-it-either')
    expect(await stranger.agent.logOfRun()).not.toContain(PASSWORD)
    await etcd.etcdctl(['user', 'grant-role', 'stranger', 'flannel'])
    await stranger.ready()
  })
})

describe('an etcd without room', () => {
  let etcd: EtcdCluster
  beforeAll(async () => {
    etcd = await startEtcd(2779, { args: [`--quota-backend-bytes=${4 << 20}`] })
  })
  afterAll(() => etcd.close())

  /** Writes until etcd raises its alarm and refuses every write. */
  async function fillUp(): Promise<void> {
    const junk = 'x'.repeat(100_000)
    const write = async (): Promise<boolean> => {
      const failure = await etcd.etcdctl(['put', '/junk', junk]).then(() => '', String)
      return failure.includes('database space exceeded')
    }
    await waitFor('etcd to be full', write, { everyMs: 0 })
  }

  async function makeRoom(): Promise<void> {
    const [, revision = ''] =
      /"revision":(\d+)/.exec(await etcd.etcdctl(['get', '/junk', '-w', 'json', '--keys-only'])) ?? []
    await etcd.etcdctl(['compact', '--physical', revision])
    await etcd.etcdctl(['defrag'])
    await etcd.etcdctl(['alarm', 'disarm'])
  }

  test('etcd: NOSPACE alarm: forwarding goes on, writes are tried on, the log says why once; cured by disarming', async () => {
    const [one, other, host] = [lab().host(0), lab().host(1), lab().host(2)]
    const { hosts } = lab()
    for (const each of hosts) startOn(each, etcd)
    for (const each of [one, other]) await each.addContainer()
    const bases = await Promise.all(hosts.map(async (each) => (await each.ready()).subnet.base.text))
    for (const each of hosts)
      for (const base of bases) if (base !== (await each.ready()).subnet.base.text) await knows(each, base)
    const name = (await host.ready()).subnet.text.replace('/', '-')
    const device = await wholeDevice(host)
    await losesNoPing(inCircle([one, other]), async () => {
      await fillUp()
      await holds(host, 'etcd', { deadlineMs: 15_000 })
      const skip = await lengthOfLog(host)
      await deleteFrom(etcd, name)
      await says(host, /warn .*database space exceeded.*disarm/, { skip })
      expect(await host.agent.cpuShare(4_000), 'share of a processor').toBeLessThan(MOST_CPU)
      expect(await timesSaid(host, /database space exceeded/, { skip }), 'times said').toBe(1)
      await makeRoom()
      const isBack = async (): Promise<boolean> => (await leaseNames(etcd)).includes(name)
      await waitFor('the lease to be published again', isBack, { deadlineMs: 20_000 })
      for (const each of [one, other]) await knows(each, name.replace(/-.*/, ''))
    })
    expect(await wholeDevice(host)).toEqual(device)
  })
})
