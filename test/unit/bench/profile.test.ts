import { describe, expect, test } from 'vitest'
import { summarizeCpu } from '../../bench/profile/cpu-profile.ts'
import { summarizeHeap } from '../../bench/profile/heap-snapshot.ts'
import { summarizeTurns } from '../../bench/profile/turns.ts'
import { sourceLines } from '../../bench/profile/source-lines.ts'

const BUNDLE = [
  '"use strict"',
  '// src/net/ip.ts',
  'function ip() {}',
  'var x = __commonJS({',
  '  // node_modules/long/index.js',
  '  long() {}',
  '})',
  '// src/main.ts',
  'main()',
].join('\n')

describe('lines of the bundle', () => {
  test.each([
    [0, ''],
    [2, 'src/net/ip.ts'],
    [5, 'node_modules/long/index.js'],
    [8, 'src/main.ts'],
  ])('number %d came from %j', (line, file) => {
    expect(sourceLines(BUNDLE)(line)).toBe(file)
  })
})

describe('a CPU profile', () => {
  const frame = (functionName: string, url = '', lineNumber = -1) => ({ functionName, url, lineNumber })
  const profile = JSON.stringify({
    nodes: [
      { id: 1, callFrame: frame('(idle)') },
      { id: 2, callFrame: frame('(garbage collector)') },
      { id: 3, callFrame: frame('ip', '/dist/flanneld.cjs', 2) },
      { id: 4, callFrame: frame('', '/dist/flanneld.cjs', 2) },
      { id: 5, callFrame: frame('spawn', 'node:internal/child_process', 40) },
    ],
    samples: [1, 2, 3, 3, 4, 5],
    timeDeltas: [0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000],
  })

  test('says what was busy, and for how long the collector was', () => {
    expect(summarizeCpu(profile, BUNDLE)).toMatchObject({ busyMs: 20, collectorMs: 2 })
  })

  test('tells time by source file of the bundle, what takes longest first', () => {
    expect(summarizeCpu(profile, BUNDLE).files).toEqual([
      { name: 'src/net/ip.ts', milliseconds: 12 },
      { name: 'node:internal/child_process', milliseconds: 6 },
      { name: '(garbage collector)', milliseconds: 2 },
    ])
  })

  test('tells functions of one file apart', () => {
    expect(summarizeCpu(profile, BUNDLE).functions.slice(0, 2)).toEqual([
      { name: 'ip src/net/ip.ts', milliseconds: 7 },
      { name: 'spawn node:internal/child_process', milliseconds: 6 },
    ])
  })
})

describe('a heap snapshot', () => {
  const snapshot = {
    snapshot: {
      meta: {
        node_fields: ['type', 'name', 'id', 'self_size'],
        node_types: [['hidden', 'object', 'string'], 'string'],
      },
    },
    nodes: [...[1, 0, 1, 24], ...[1, 1, 2, 100], ...[1, 0, 3, 24], ...[2, 2, 4, 60]],
    strings: ['Ip', 'Map', 'some text'],
  }

  test('counts objects by constructor, and texts as texts, what takes most first', () => {
    expect(summarizeHeap(JSON.stringify(snapshot))).toEqual([
      { name: 'Map', count: 1, bytes: 100 },
      { name: '(string)', count: 1, bytes: 60 },
      { name: 'Ip', count: 2, bytes: 48 },
    ])
  })

  test('of another format is refused', () => {
    const meta = { node_fields: ['type'], node_types: [[]] }
    expect(() => summarizeHeap(JSON.stringify({ ...snapshot, snapshot: { meta } }))).toThrow('another format')
  })
})

test('the longest turns of the event loop are told with what was at work in them, and how long the collector was', () => {
  const frame = (functionName: string, lineNumber: number) => ({ functionName, url: '/dist/flanneld.cjs', lineNumber })
  const json = JSON.stringify({
    ...{ startedMs: 1_000, count: 9 },
    turns: [
      { fromMs: 1_000, toMs: 1_010, processorMs: 5 },
      { fromMs: 1_010, toMs: 1_050, processorMs: 30 },
    ],
    pauses: [
      { fromMs: 1_005, ms: 1 },
      { fromMs: 1_020, ms: 2 },
      { fromMs: 1_030, ms: 3 },
    ],
    profile: {
      startTime: 1_000_000,
      nodes: [
        { id: 1, callFrame: { functionName: '(root)', url: '', lineNumber: -1 }, children: [2] },
        { id: 2, callFrame: frame('main', 8), children: [3, 4] },
        { id: 3, callFrame: frame('ip', 2) },
        { id: 4, callFrame: frame('long', 5) },
      ],
      samples: [2, 3, 4, 3],
      timeDeltas: [5_000, 10_000, 10_000, 10_000],
    },
  })
  expect(summarizeTurns(json, BUNDLE, 1)).toEqual({
    count: 9,
    longest: [{ processorMs: 30, atMs: 50, collectorMs: 5, functions: ['main src/main.ts', 'ip src/net/ip.ts'] }],
  })
})
