import { describe, expect, it } from 'vitest'
import { History } from '../../../src/page/model/history.ts'
import { documentsOf } from '../../fake/page/documents.ts'

const NOW = Date.parse('2026-05-01T12:00:00Z')
const at = (seconds: number, shape: Partial<Parameters<typeof documentsOf>[0]> = {}) =>
  documentsOf({ peers: 3, nowMs: NOW + seconds * 1_000, ...shape }).status

describe('the timeline', () => {
  it('begins when the agent says that it began, and grows with what changes only', () => {
    const history = new History()
    history.note(at(0))
    history.note(at(10))
    const cut = at(20, { reaches: new Map([[1, 'unreachable']]) })
    history.note(cut)
    history.note(at(30, { reaches: new Map([[1, 'unreachable']]) }))
    const peers = history.lanes.find(({ name }) => name === 'peers')
    expect(peers?.turns.map(({ level }) => level)).toEqual(['good', 'bad'])
    const etcd = history.lanes.find(({ name }) => name === 'etcd')
    expect(etcd?.turns).toEqual([{ atMs: NOW - 86_000_000, level: 'good', text: 'answers' }])
  })

  it('knows nothing of the time in which nobody answered', () => {
    const history = new History()
    history.note(at(0))
    history.lose(new Date(NOW + 5_000).toISOString())
    history.lose(new Date(NOW + 6_000).toISOString())
    history.note(at(60))
    const node = history.lanes.find(({ name }) => name === 'node')
    expect(node?.turns.map(({ text, atMs }) => [text, atMs - NOW])).toEqual([
      ['ready', -190_000_000],
      ['not known', 5_000],
      ['ready', 5_000],
    ])
  })

  it('keeps so many turns and no more', () => {
    const history = new History()
    for (let turn = 0; turn < 1_200; turn++)
      history.note(at(turn, turn % 2 === 0 ? {} : { reaches: new Map([[1, 'unreachable']]) }))
    expect(Math.max(...history.lanes.map(({ turns }) => turns.length))).toBe(500)
  })
})
