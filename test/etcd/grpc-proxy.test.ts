import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { test } from 'vitest'

import { challengeContract } from '../contract/challenge-contract.ts'
import { leaseStoreContract } from '../contract/lease-store-contract.ts'
import { EtcdHarness, leaseHex } from './etcd-harness.ts'
import { FrontScene } from './front-scene.ts'

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
