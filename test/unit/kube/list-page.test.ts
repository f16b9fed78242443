import { describe, expect, it } from 'vitest'
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
