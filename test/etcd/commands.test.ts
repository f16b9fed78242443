import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { ReservationWish } from '../../src/admin/reservation.ts'
import { reserve } from '../../src/admin/reserve.ts'
import { release } from '../../src/admin/release.ts'
import type { EtcdAccess } from '../../src/config/options.ts'
import type { EtcdLeaseStore } from '../../src/etcd/etcd-lease-store.ts'
import { ip } from '../../src/net/ip.ts'
import { prefix } from '../../src/net/prefix.ts'
import { EtcdCluster } from '../lab/etcd-process.ts'
import { openStore } from './etcd-harness.ts'

const { signal } = new AbortController()
const CONFIG = '{ "Network": "10.0.0.0/8",\n\t"SubnetLen": 20 }\r\n'

const containing = (text: string): unknown => expect.stringContaining(text)
const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern)

/** What commands do to a real etcd, and to each other in it. */
describe('commands on the store', () => {
  let cluster: EtcdCluster
  let prefixes = 0
  beforeAll(async () => {
    cluster = await EtcdCluster.start()
  })
  afterAll(() => cluster.close())

  /** Two people at once, below a prefix of their own. */
  function two(): readonly [EtcdLeaseStore, EtcdLeaseStore, string] {
    const below = `/people/${++prefixes}`
    const open = (): EtcdLeaseStore => opened({ prefix: below })
    return [open(), open(), below]
  }

  function opened(access: Partial<EtcdAccess>): EtcdLeaseStore {
    const store = openStore({ endpoints: cluster.endpoints, ...access })
    onTestFinished(() => {
      store.close()
    })
    return store
  }

  const wish = (subnet: string, octet: number): ReservationWish => ({
    parts: [{ subnet: prefix(subnet), publicIp: ip(`192.168.205.${octet}`) }],
    node: undefined,
  })

  test('a configuration is written octet by octet, and of two that were made on what stood before, one', async () => {
    const [one, other, below] = two()
    const firsts = await Promise.all([one, other].map((store) => store.writeConfig(undefined, CONFIG, signal)))
    expect(firsts.filter(({ ok }) => ok)).toHaveLength(1)
    expect(await cluster.etcdctl(['get', '--print-value-only', `${below}/config`])).toBe(`${CONFIG}\n`)
    const seen = await one.readConfig(signal)
    const changes = ['{"Network":"10.1.0.0/16"}', '{"Network":"10.2.0.0/16"}']
    const results = await Promise.all(
      [one, other].map((store, at) => store.writeConfig(seen, changes[at] ?? '', signal)),
    )
    expect(results.map(({ ok }) => ok).sort()).toEqual([false, true])
    const standing = await other.readConfig(signal)
    expect(results.find(({ ok }) => !ok)).toMatchObject({ found: { value: standing?.value } })
    expect(standing?.value).toBe(changes[results.findIndex(({ ok }) => ok)])
  })

  test('a configuration that agents do not take is shown as it stands, with what is wrong', async () => {
    const [, , below] = two()
    await cluster.etcdctl(['put', `${below}/config`, '{"Network":"10.0.0.0/8",\n"SubnetLen":"many"}'])
    const get = (...more: readonly string[]) =>
      spawnSync(process.execPath, ['dist/flanneld.cjs', 'config', 'get', ...more, ...flags], { encoding: 'utf8' })
    const flags = [`--etcd-endpoints=${cluster.endpoints.join(',')}`, `--etcd-prefix=${below}`]
    const { status, stdout, stderr } = get()
    expect(status).toBe(1)
    expect(stderr).toMatch(new RegExp(`^flanneld config: agents do not take what stands at ${below}/config: SubnetLen`))
    expect(stdout).toMatch(/\n\n\{"Network":"10\.0\.0\.0\/8",\n"SubnetLen":"many"\}\n$/)
    expect(JSON.parse(get('--json').stdout)).toMatchObject({ fields: null, problem: containing('SubnetLen') })
  })

  test.each([
    ['of one subnet', [wish('10.32.0.0/20', 10), wish('10.32.0.0/20', 11)]],
    ['for one address', [wish('10.32.0.0/20', 10), wish('10.48.0.0/20', 10)]],
  ] as const)('of two reservations %s, made at once, one stands', async (_, [first, second]) => {
    const [one, other] = two()
    await one.writeConfig(undefined, CONFIG, signal)
    const results = await Promise.all([reserve(one, first, signal), reserve(other, second, signal)])
    expect(results.map(({ is }) => is).sort()).toEqual(['refused', 'reserved'])
    const { records } = await one.list(signal)
    expect(records).toMatchObject([{ etcdLeaseId: '0' }])
  })

  test('a lease whose holder answers stays; one that was given back leaves nothing', async () => {
    const [one, holder] = two()
    const value = '{"PublicIP":"192.168.205.10","BackendType":"vxlan","Node":{"ID":"nine","Hostname":"host9"}}'
    const made = await holder.create('10.32.0.0-20', value, { kind: 'grant', ttlSeconds: 600 }, signal)
    if (!made.ok) throw new Error('refused')
    const stop = new AbortController()
    const answering = (async () => {
      for await (const challenge of holder.challenges('10.32.0.0-20', stop.signal))
        await holder.answer(challenge, { id: 'nine', hostname: 'host9', instance: 'two' }, signal)
    })()
    const asker = { id: 'release 1', hostname: 'here', instance: 'one' }
    const kept = await release(one, made.record, { asker, isForced: false, waitMs: 20_000 }, signal)
    expect(kept).toMatchObject({ is: 'kept', why: containing('host9 (nine) has answered') })
    stop.abort()
    await answering
    const id = made.record.etcdLeaseId
    expect((await one.livesOf([id, id, '999'], signal)).get(id)).toMatchObject({ grantedSeconds: 600 })
    expect(await release(one, made.record, { asker, isForced: true, waitMs: 20_000 }, signal)).toMatchObject({
      is: 'released',
    })
    expect((await one.list(signal)).records).toEqual([])
    expect((await one.livesOf([id], signal)).size).toBe(0)
  })

  test('without the right to write, and with a wrong password, etcd says why, and nothing is written', async () => {
    const below = '/guarded'
    for (const line of [
      `put ${below}/config {"Network":"10.0.0.0/8"}`,
      'user add root:secret',
      'user grant-role root root',
      'role add reader',
      `role grant-permission reader --prefix=true read ${below}/`,
      'user add reader:secret',
      'user grant-role reader reader',
      'auth enable',
    ])
      await cluster.etcdctl(line.split(' '))
    const reader = opened({ prefix: below, username: 'reader', password: 'secret' })
    const seen = await reader.readConfig(signal)
    await expect(reader.writeConfig(seen, CONFIG, signal)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      message: matching(/user "reader" lacks a role with write permission below \/guarded/),
    })
    await expect(reserve(reader, wish('10.32.0.0/24', 10), signal)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
    const wrong = opened({ prefix: below, username: 'reader', password: 'another' })
    await expect(wrong.writeConfig(seen, CONFIG, signal)).rejects.toMatchObject({
      message: matching(/authentication failed/),
    })
    expect(await reader.readConfig(signal)).toEqual(seen)
  })
})
