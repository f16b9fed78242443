import { describe, expect, it } from 'vitest'
import { ListStream } from '../../../src/kube/list-stream.ts'
import { readListPage } from '../../../src/kube/list-page.ts'

const node = (name: string, extra: object = {}) => ({
  metadata: {
    name,
    uid: `uid-${name}`,
    resourceVersion: '7',
    creationTimestamp: '2026-01-02T03:04:05Z',
    annotations: { 'f/public-ip': '192.0.2.1', 'f/backend-data': '{"a":[},"status":{' },
    managedFields: [{ manager: 'kubelet', fieldsV1: { 'f:spec': {}, 'f:status': {} } }],
  },
  spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'] },
  status: { images: [{ names: ['a}},{"metadata":{b'] }], nodeInfo: { spec: {} } },
  ...extra,
})

type Node = ReturnType<typeof node>

const list = (items: readonly object[] | null, metadata: object = { resourceVersion: '9', continue: 'c' }): Buffer =>
  Buffer.from(`${JSON.stringify({ kind: 'NodeList', apiVersion: 'v1', metadata, items })}\n`)

const expected = (name: string): object => ({
  name,
  uid: `uid-${name}`,
  createdMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  resourceVersion: '7',
  podCidrs: ['10.244.1.0/24'],
  annotations: { 'public-ip': '192.0.2.1', 'backend-data': '{"a":[},"status":{' },
})

const statusFirst = ({ status, ...rest }: Node): object => ({ status, ...rest })
const withKind = (of: Node): object => ({ kind: 'Node', ...of })
const withoutStatus = ({ metadata, spec }: Node): object => ({ metadata, spec })
const specLast = ({ metadata, status, spec }: Node): object => ({ metadata, status, spec })

describe('readListPage', () => {
  it.each([
    ['as API servers write it', (of: Node): object => of],
    ['with the status first', statusFirst],
    ['with the spec last', specLast],
    ['with what it is before it', withKind],
    ['without a status', withoutStatus],
    ['with an empty status', (of: Node): object => ({ ...of, status: {} })],
  ])('reads every Node written %s, and the next page', (_, written) => {
    const page = readListPage(list(['a', 'b', 'c'].map((name) => written(node(name)))), 'f/')
    expect(page).toEqual({ nodes: ['a', 'b', 'c'].map(expected), resourceVersion: '9', next: 'c' })
  })

  it('reads lists of one and of none, and the last page', () => {
    const last = { resourceVersion: '9' }
    expect(readListPage(list([node('a')], last), 'f/')).toEqual({
      nodes: [expected('a')],
      resourceVersion: '9',
      next: '',
    })
    for (const none of [[], null]) expect(readListPage(list(none, last), 'f/')).toMatchObject({ nodes: [], next: '' })
  })

  it('reads a list whose metadata stand behind its Nodes', () => {
    const text = JSON.stringify({ items: [node('a'), node('b')], metadata: { resourceVersion: '9' } })
    expect(readListPage(Buffer.from(text), 'f/')).toMatchObject({
      nodes: [{ name: 'a' }, { name: 'b' }],
      resourceVersion: '9',
    })
  })

  it.each([
    '',
    'null',
    '[]',
    '{}',
    '{"items":[]}',
    '{"metadata":{"resourceVersion":"1"},"items":{}}',
    '{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"},"spec":{},"status":{}}',
  ])('says that %j is none', (text) => {
    expect(readListPage(Buffer.from(text), 'f/')).toBeUndefined()
  })
})

describe('ListStream', () => {
  /** As it comes in pieces of so many bytes. */
  const streamed = (body: Buffer, size: number): ReturnType<ListStream['end']> => {
    const stream = new ListStream('f/')
    for (let from = 0; from < body.length; from += size) stream.push(body.subarray(from, from + size))
    return stream.end()
  }
  const tricky = (of: Node): Node => ({
    ...of,
    status: { images: [{ names: ['"}}]}', '\\\\"', '\\', '}},{"metadata":{', '{[', 'ä€😀'] }], nodeInfo: { spec: {} } },
  })

  it.each([1, 2, 3, 7, 64, 1_000, 100_000])('reads what readListPage reads, in pieces of %i bytes', (size) => {
    const body = list(['a', 'b', 'c'].map((name) => tricky(node(name))))
    expect(streamed(body, size)).toEqual({ nodes: ['a', 'b', 'c'].map(expected), resourceVersion: '9', next: 'c' })
  })

  it.each([
    ['with the status first', statusFirst],
    ['with the spec last', specLast],
    ['without a status', withoutStatus],
  ])('leaves to others what is written %s', (_, written) => {
    const body = list(['a', 'b'].map((name) => written(node(name))))
    for (const size of [1, 50, 100_000]) expect(streamed(body, size)).toBeUndefined()
  })

  it('leaves to others what breaks off, is none, or goes on', () => {
    const body = list([node('a'), node('b')])
    for (let length = 0; length < body.length - 2; length++)
      expect(streamed(body.subarray(0, length), 100)).toBeUndefined()
    for (const text of ['', 'null', '{}', '{"items":[]}', `${body.toString()}{}`])
      expect(streamed(Buffer.from(text), 3)).toBeUndefined()
  })
})
