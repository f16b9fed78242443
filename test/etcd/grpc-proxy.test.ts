import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { test } from 'vitest'

import { challengeContract } from '../contract/challenge-contract.ts'
import { leaseStoreContract } from '../contract/lease-store-contract.ts'
import { EtcdHarness, leaseHex } from './etcd-harness.ts'
import { DEADLINE, FrontScene } from './front-scene.ts'

const { signal } = new AbortController()
const NAME = 'EtcdLeaseStore behind etcd grpc-proxy'

leaseStoreContract(NAME, () => EtcdHarness.startBehind('grpc-proxy'))
challengeContract(NAME, () => EtcdHarness.startBehind('grpc-proxy'))

test('an etcd lease that somebody else renews through the same proxy counts as renewed, for as long as it has left', async (context) => {
  const [scene, { expect, onTestFinished }] = [new FrontScene(context), context]
  const front = await scene.front('grpc-proxy', await scene.etcd())
  const store = scene.open(front)
  const created = await store.create('10.1.0.0-24', 'v', { kind: 'grant', ttlSeconds: 600 }, signal)
  if (!created.ok) throw new Error('refused')
  const id = leaseHex(created.record.etcdLeaseId)
  const other = spawn('etcdctl', ['--endpoints', front.endpoint, 'lease', 'keep-alive', id], {
    env: { ...process.env, ETCDCTL_API: '3' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onTestFinished(() => {
    other.kill('SIGKILL')
  })
  await once(other.stdout, 'data') // lease … keepalived with TTL(600)
  for (let time = 0; time < 3; time++) {
    const renewed = await store.keepAlive(created.record.etcdLeaseId, signal)
    expect(renewed.alive && renewed.ttlSeconds).toBeGreaterThan(500)
  }
})

test.for([
  ['--namespace', '/tenant/'],
  ['--experimental-serializable-ordering'],
  ['--experimental-leasing-prefix', '/of-a-proxy/'],
])('works with %j', async (args, context) => {
  const [scene, { expect }] = [new FrontScene(context), context]
  const store = scene.open(await scene.front('grpc-proxy', await scene.etcd(), args))
  const log = await scene.watch(store)
  const created = await store.create('10.1.0.0-24', 'one', { kind: 'grant', ttlSeconds: 600 }, signal)
  if (!created.ok) throw new Error('refused')
  expect(await store.keepAlive(created.record.etcdLeaseId, signal)).toEqual({ alive: true, ttlSeconds: 600 })
  const changed = await store.replace(created.record, 'two', signal)
  if (!changed.ok) throw new Error('refused')
  expect(await store.release(changed.record, signal)).toBe(true)
  await expect.poll(() => log.changes, DEADLINE).toEqual(['+10.1.0.0-24=one', '+10.1.0.0-24=two', '-10.1.0.0-24'])
})
