import { describe, expect, it } from 'vitest'
import { diagnose } from '../../../../src/doctor/diagnosis.ts'
import type { Finding } from '../../../../src/doctor/finding.ts'
import { neighbourTables } from '../../../../src/doctor/host/neighbours.ts'
import type { NeighbourTable } from '../../../../src/kernel/neighbour-table.ts'
import { condition, fakeView, type Shown } from '../../../fake/fake-view.ts'
import { samplePeer, sampleStatus } from '../../../fake/status-samples.ts'

const { signal } = new AbortController()
const table = (overflows: number, family: 4 | 6 = 4): NeighbourTable => ({
  ...{ family, overflows, most: 1_024, countsPermanent: false },
})
const found = (shown: Shown): Promise<readonly Finding[]> => neighbourTables.look(fakeView(shown).view, signal)

describe('tables of neighbours', () => {
  it('that are full while doctor looks are named without an agent, the right one', async () => {
    const [finding, ...more] = await found({
      neighbourTables: [
        [table(700), table(3, 6)],
        [table(712), table(3, 6)],
      ],
    })
    expect(more).toEqual([])
    expect(finding).toMatchObject({ cause: 'neighbours-full', severity: 'broken', covers: 'all peers' })
    expect(finding?.evidence[0]).toBe(
      '/proc/net/stat/arp_cache, table_fulls: 712, 12 of them since doctor looks; dmesg says "neighbour: arp_cache: neighbor table overflow!"',
    )
    expect(finding?.cure[0]).toMatch(/^sysctl -w net\.ipv4\.neigh\.default\.gc_thresh3=4096 .* on the host itself/)
  })

  it('that were full long ago are well, and those of which the kernel does not tell are not spoken of', async () => {
    expect(await found({ neighbourTables: [[table(700), table(9, 6)]] })).toEqual([])
    expect(await found({})).toEqual([])
    expect(await found({ neighbourTables: [[], [table(700)]] })).toEqual([])
  })

  it('of which the agent says so are told before a store that is out of reach, and instead of silent peers', async () => {
    const conditions = [
      condition('etcd'),
      condition('neighbour table of IPv4', {
        reason: 'was full 37 times within 30 s: packets are lost. Cure: sysctl -w x',
      }),
      condition('answers of peers over IPv4'),
    ]
    const agent = { ...sampleStatus([samplePeer(1)]), conditions }
    const findings = await found({ agent, neighbourTables: [[table(700)]] })
    expect(findings[0]?.evidence).toContain('the agent: was full 37 times within 30 s: packets are lost')
    const etcd: Finding = {
      cause: 'etcd-unreachable',
      severity: 'broken',
      summary: 's',
      evidence: [],
      cure: [],
      explains: ['etcd'],
    }
    expect(diagnose([etcd, ...findings], conditions).map(({ cause }) => cause)).toEqual([
      'neighbours-full',
      'etcd-unreachable',
    ])
  })
})
