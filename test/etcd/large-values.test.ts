import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { Etcd3 } from 'etcd3'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'

import { EtcdCluster } from '../lab/etcd-process.ts'
import { PREFIX } from './etcd-harness.ts'

const run = promisify(execFile)
/** More of them take no more memory, but minutes. */
const KEYS = 200
const CHANGES = 100
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
    await putMany(0, KEYS)
  }, 120_000)
  afterAll(async () => {
    others.close()
    await cluster.close()
    rmSync(folder, { recursive: true, force: true })
  })

  async function putMany(from: number, to: number): Promise<void> {
    for (let at = from; at < to; at++) await others.put(`${PREFIX}/subnets/junk-${at}`).value(VALUE)
  }

  test('are listed, and as many changes at once followed, in less than 200 MB of memory', async () => {
    const child = spawn(process.execPath, [program, cluster.member.endpoint, String(CHANGES)])
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    const lines = createInterface(child.stdout)
    const said = async (): Promise<unknown> => {
      const line: readonly unknown[] = await once(lines, 'line')
      return JSON.parse(String(line[0]))
    }
    const listed = await said()
    expect(listed).toMatchObject({ listed: KEYS })
    expect(listed).toHaveProperty('residentMb', below(MOST_RESIDENT_MB))
    await putMany(KEYS, KEYS + CHANGES)
    child.stdin.write('watch')
    const seen = await said()
    expect(seen).toMatchObject({ seen: CHANGES })
    expect(seen).toHaveProperty('residentMb', below(MOST_RESIDENT_MB))
    if (child.exitCode === null) await once(child, 'exit')
    expect(child.exitCode).toBe(0)
  })
})
