import { describe, test } from 'vitest'

import { newcomersAmong } from '../../src/lease/overlap.ts'
import { prefix } from '../../src/net/prefix.ts'
import { FrontScene } from './front-scene.ts'

const { signal } = new AbortController()
const SUBNETS = [prefix('10.15.3.0/24')]
const LIFETIME = { kind: 'grant', ttlSeconds: 600 } as const

describe('etcd --max-txn-ops=4, fewer than the compares of a creation', () => {
  test('has a lease created nevertheless, unless somebody was faster', async (context) => {
    const [scene, { expect }] = [new FrontScene(context), context]
    const cluster = await scene.etcd({ args: ['--max-txn-ops=4'] })
    const store = scene.open(cluster.member)
    const before = newcomersAmong(SUBNETS, await store.list(signal))
    expect(await store.create('10.15.3.0-24', 'ours', LIFETIME, signal, before)).toMatchObject({ ok: true })
    expect(await store.create('10.15.3.0-25', 'late', LIFETIME, signal, before)).toEqual({
      ok: false,
      found: undefined,
    })
    const after = newcomersAmong(SUBNETS, await store.list(signal))
    expect(await store.create('10.15.4.0-24', 'next', LIFETIME, signal, after)).toMatchObject({ ok: true })
  })
})
