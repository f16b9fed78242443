import { beforeAll, describe, expect, it } from 'vitest'
import { programInParts, WITHOUT_CACHE, type Part } from '../../../packaging/executable/parts.mjs'

let parts: Readonly<Record<string, Part>> = {}
beforeAll(async () => {
  parts = await programInParts()
})

/** Stands in prom-client alone. */
const PROM_CLIENT = 'application/openmetrics-text; version='
/** And in what only its summaries and its push gateway need. */
const LEFT_OUT = /bintrees|TDigest|Pushgateway extends|class Pushgateway/

describe('the program in parts', () => {
  it('has what answers scrapes in a part that is loaded when somebody asks, and nowhere else', () => {
    const holding = Object.keys(parts).filter((name) => parts[name]?.text.includes(PROM_CLIENT))
    expect(holding).toEqual(['answers'])
    expect(WITHOUT_CACHE).toContain('answers')
  })

  it('has no module of ours twice in what a daemon loads', () => {
    const modules = ['first', 'etcd', 'late', 'answers']
      .flatMap((name) => parts[name]?.bundled ?? [])
      .filter((path) => path.startsWith('src/'))
    expect(modules.length).toBeGreaterThan(200)
    expect(modules.filter((path, at) => modules.indexOf(path) !== at)).toEqual([])
  })

  it('has before the first line neither the agent nor a client for etcd', () => {
    const modules = parts['first']?.bundled ?? []
    expect(modules).toContain('src/commands/daemon.ts')
    expect(
      modules.filter((path) => /src\/(agent|etcd|netlink|doctor)\/|node_modules\/(etcd3|@grpc)\//.test(path)),
    ).toEqual([])
  })

  it('has names that are told from those of Node by whoever loads them', () => {
    expect(Object.keys(parts).filter((name) => !/^[a-z]+$/.test(name))).toEqual([])
  })

  it('has nothing of prom-client that the agent does not use', () => {
    expect(parts['answers']?.text).not.toMatch(LEFT_OUT)
  })
})
