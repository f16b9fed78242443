import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SUBCOMMANDS } from '../../../src/cli/commands.ts'
import { inColours } from '../../../src/present/paint.ts'
import { showPeers } from '../../../src/show/peers.ts'
import { showStatus } from '../../../src/show/status.ts'
import { manyPeers, samplePeer, samplePeers, sampleStatus } from '../../fake/status-samples.ts'
import { DEGRADED, LOOKS, SHOWN, SOME_PEERS } from './shown.ts'

const GUIDE = readFileSync(join(import.meta.dirname, '../../../docs/commands.md'), 'utf8')

const blocks = new Map(
  Array.from(GUIDE.matchAll(/^<!-- shown: ([\w-]+) -->\n```text\n([^`]*)```$/gm), ([, name = '', text = '']) => [
    name,
    text,
  ]),
)

describe('docs/commands.md', () => {
  it.each(Object.entries(SHOWN))('shows what the command prints: %s', (name, text) => {
    expect(blocks.get(name)).toBe(text)
  })

  it('shows nothing else', () => {
    expect([...blocks.keys()].sort()).toEqual(Object.keys(SHOWN).sort())
  })

  it('names every command', () => {
    for (const { name } of SUBCOMMANDS) expect(GUIDE).toContain(`\`flanneld ${name}`)
  })
})

describe('flanneld status', () => {
  const lines = (text: string): readonly string[] => text.split('\n')

  it('says in its first lines what is wrong, since when, and what to do next', () => {
    const [first, next] = lines(showStatus(DEGRADED, LOOKS))
    expect(first).toBe(
      'host-zero is degraded, for 3 min: answers of peers over IPv4: 1 of 3 peers does not answer: host-1 (and 1 thing more)',
    )
    expect(next).toBe('next: flanneld doctor')
  })

  it('fits on a screen with 10 000 peers of which a third is not reached', () => {
    const peers = manyPeers(10_000).map((peer, at) =>
      at % 3 === 0 ? { ...peer, reach: 'unreachable' as const } : peer,
    )
    const text = showStatus(sampleStatus(peers, { state: 'degraded', conditions: DEGRADED.conditions }), LOOKS)
    expect(lines(text).length).toBeLessThan(40)
    expect(text).toContain('10000: 6666 reachable, 3334 unreachable')
    expect(text).toContain('… and 3329 more: flanneld peers --reach not-reachable')
  })

  it('is not ready, in words, with what waits for a restart, what is pending, and a certificate that expires', () => {
    const { configuration, store } = sampleStatus([])
    const status = sampleStatus([], { state: 'unready', lease: null, configuration: null })
    expect(showStatus(status, LOOKS)).toMatch(/^host-zero is not ready/)
    const text = showStatus(
      sampleStatus([], {
        configuration: configuration && { ...configuration, waitsForRestart: ['Backend.VNI from 1 to 7'] },
        pending: {
          total: 9,
          rows: [{ family: 4, table: 'route', row: '10.15.16.0/20', peer: 'host-1', why: 'EPERM', until: null }],
        },
        store: {
          ...store,
          certificates: [{ file: '/etc/etcd/ca.pem', expiresAt: '2026-12-01T03:00:00.000Z', problem: null }],
        },
      }),
      LOOKS,
    )
    for (const words of ['needed for Backend.VNI from 1 to 7', 'EPERM', '… and 8 more', 'ca.pem: expires in 1 d'])
      expect(text).toContain(words)
  })
})

describe('flanneld peers', () => {
  it('colours states and leaves the rest as it is', () => {
    const text = showPeers(samplePeers(SOME_PEERS), { ...LOOKS, paint: inColours })
    expect(text).toContain('\u001b[31munreachable\u001b[0m')
  })

  it('lets no name of another host talk to the terminal, or forge a line', () => {
    const text = showPeers(samplePeers([samplePeer(1, { name: 'a\u001b[2J\nhost-2  fine' })]), LOOKS)
    expect(text).not.toContain('\u001b')
    expect(text.split('\n')).toHaveLength(5)
  })

  it('has no name of another host widen it beyond sense where no terminal limits it', () => {
    const text = showPeers(samplePeers([samplePeer(1, { name: 'n'.repeat(255) })]), { ...LOOKS, width: undefined })
    expect(text).toContain(`${'n'.repeat(63)}… `)
    expect(text).not.toContain('n'.repeat(64))
  })

  it('keeps within the terminal, and names who and how at the least', () => {
    const text = showPeers(samplePeers(SOME_PEERS), { ...LOOKS, width: 60 })
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(60)
    expect(text).toMatch(/^host-1 .*unreachable/m)
  })
})
