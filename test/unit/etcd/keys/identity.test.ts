import { describe, expect, test } from 'vitest'

import { StoreMemory } from '../../../../src/etcd/keys/identity.ts'

const state = (revision: bigint, raftTerm: bigint, clusterId = 'c1') => ({ clusterId, revision, raftTerm })

describe('what a watch knows of its store', () => {
  test('a store that moved on is the same', () => {
    const memory = new StoreMemory({ clusterId: 'c1', revision: 10n })
    expect(memory.whyAnother(state(10n, 2n))).toBeUndefined()
    expect(memory.whyAnother(state(12n, 3n))).toBeUndefined()
  })

  test('another cluster id, a lower revision or a lower raft term mean another store', () => {
    const memory = new StoreMemory({ clusterId: 'c1', revision: 10n })
    memory.whyAnother(state(20n, 5n))
    expect(memory.whyAnother(state(20n, 5n, 'c2'))).toMatch('c2')
    expect(memory.whyAnother(state(19n, 5n))).toMatch('19')
    expect(memory.whyAnother(state(25n, 4n))).toMatch('raft term')
  })

  test('a revision learnt from any answer counts', () => {
    const memory = new StoreMemory({ clusterId: 'c1', revision: 10n })
    memory.saw(state(30n, 2n))
    memory.saw(state(20n, 2n))
    expect(memory.whyAnother(state(29n, 2n))).toBeDefined()
  })

  test('an answer is held against what was known when it was asked for, and teaches nothing', () => {
    const memory = new StoreMemory({ clusterId: 'c1', revision: 10n })
    memory.whyAnother(state(20n, 5n))
    const then = memory.snapshot()
    memory.saw(state(30n, 5n))
    expect(then.whyAnother(state(25n, 5n))).toBeUndefined()
    expect(then.whyAnother(state(19n, 5n))).toMatch('19')
    expect(memory.snapshot().whyAnother(state(40n, 4n))).toMatch('raft term')
    expect(memory.whyAnother(state(30n, 5n))).toBeUndefined()
  })
})
