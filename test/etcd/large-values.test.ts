import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { Etcd3 } from 'etcd3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { EtcdCluster } from '../lab/etcd-process.ts'
import { PREFIX } from './etcd-harness.ts'

const run = promisify(execFile)
/** More of them take no more memory, but a test of minutes. */
const KEYS = 300
const VALUE = Buffer.alloc(1_400_000, 'x')
const MOST_RESIDENT_MB = 200
const below = (most: number): unknown => expect.toSatisfy((value: unknown) => typeof value === 'number' && value < most)

describe('hundreds of values of 1.4 MB below our own prefix', () => {
  const folder = mkdtempSync(join(tmpdir(), 'flannel-large-'))
  const program = join(folder, 'flanneld.cjs')
  let cluster: EtcdCluster
  let others: Etcd3
  beforeAll(async () => {
    await run(process.execPath, ['packaging/build.mjs', '--bundle', 'test/etcd/large-values-program.ts', folder])
    cluster = await EtcdCluster.start()
    others = new Etcd3({ hosts: cluster.member.endpoint })
    for (let at = 0; at < KEYS; at++) await others.put(`${PREFIX}/subnets/junk-${at}`).value(VALUE)
  }, 120_000)
  afterAll(async () => {
    others.close()
    await cluster.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('are listed in less than 200 MB of memory', async () => {
    const { stdout } = await run(process.execPath, [program, cluster.member.endpoint], { timeout: 50_000 })
    const said: unknown = JSON.parse(stdout)
    expect(said).toMatchObject({ listed: KEYS })
    expect(said).toHaveProperty('residentMb', below(MOST_RESIDENT_MB))
  })
})
