import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { expect, onTestFinished, test } from 'vitest'

import { EtcdCluster } from '../lab/etcd-process.ts'
import { openStore, PREFIX } from './etcd-harness.ts'

const run = promisify(execFile)
const { signal } = new AbortController()

test('a configuration written with v2 of the API of etcd is none, as the error says where it is missing', async () => {
  const cluster = await EtcdCluster.start({ args: ['--enable-v2'] })
  const store = openStore({ endpoints: cluster.endpoints })
  onTestFinished(async () => {
    store.close()
    await cluster.close()
  })
  const env = { ...process.env, ETCDCTL_API: '2' }
  const v2 = (...args: readonly string[]): Promise<{ readonly stdout: string }> =>
    run('etcdctl', ['--endpoints', cluster.member.endpoint, ...args], { env })
  await v2('set', `${PREFIX}/config`, '{}')
  expect((await v2('ls', PREFIX)).stdout.trim()).toBe(`${PREFIX}/config`)
  expect(await store.readConfig(signal)).toBeUndefined()
  await cluster.etcdctl(['put', `${PREFIX}/config`, '{"Network":"10.0.0.0/8"}'])
  expect(await store.readConfig(signal)).toMatchObject({ value: '{"Network":"10.0.0.0/8"}' })
})
