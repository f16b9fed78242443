import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

import { EtcdHarness } from './etcd-harness.ts'

const run = promisify(execFile)

describe('a bundled program, away from all node_modules', () => {
  const folder = mkdtempSync(join(tmpdir(), 'flannel-bundle-'))
  const program = join(folder, 'flanneld.cjs')
  let harness: EtcdHarness
  beforeAll(async () => {
    await run(process.execPath, ['packaging/build.mjs', '--bundle', 'test/etcd/bundled-program.ts', folder])
    harness = await EtcdHarness.start()
  })
  afterEach(() => harness.reset())
  afterAll(async () => {
    await harness.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('speaks to etcd with 64-bit numbers and names of events intact, and ends by itself once the store is closed', async () => {
    const { stdout, stderr } = await run(process.execPath, [program, harness.proxy.endpoint], { timeout: 20_000 })
    expect(stderr).toBe('')
    const [etcdLeaseId] = await harness.etcdLeaseIds()
    expect(JSON.parse(stdout)).toEqual({
      ...{ etcdLeaseId, seen: ['put', 'deleted'] },
      revision: String(await harness.revision()),
    })
    await expect.poll(() => harness.proxy.openConnections, { timeout: 30_000 }).toBe(0)
  })

  test('carries the licences of what it was built from', async () => {
    const licences = await readFile(join(folder, 'THIRD-PARTY-LICENSES.txt'), 'utf8')
    for (const name of ['etcd3', '@grpc/grpc-js', 'protobufjs', 'cockatiel']) expect(licences).toContain(`\n${name} `)
    expect(licences).toContain('Permission is hereby granted, free of charge')
  })
})
