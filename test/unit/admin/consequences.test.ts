import { describe, expect, it } from 'vitest'
import { configFacts } from '../../../src/admin/config-facts.ts'
import { consequences } from '../../../src/admin/consequences.ts'
import { undoingSet } from '../../../src/admin/show/config.ts'
import { sayConsequences } from '../../../src/admin/show/consequences.ts'
import { unreadFields } from '../../../src/config/remarks.ts'
import type { LeaseRecord } from '../../../src/lease/store.ts'
import { upstreamLease } from '../../fake/agent-world.ts'

const BEFORE = '{"Network":"10.0.0.0/8","SubnetLen":20,"Backend":{"Type":"vxlan","VNI":100}}'

const LEASES: readonly LeaseRecord[] = ['10.16.0.0-20', '10.99.0.0-20', '10.200.0.0-24'].map((key, at) => ({
  ...{ key, value: upstreamLease(at + 20), etcdLeaseId: '7', createRevision: 1n, modRevision: 1n },
}))

const containing = (text: string): unknown => expect.stringContaining(text)

describe('another configuration', () => {
  it('is told apart into what is followed at once, what waits, and what it cuts off', () => {
    const after =
      '{"Network":"10.0.0.0/8","SubnetLen":20,"SubnetMax":"10.20.0.0","Backend":{"VNI":7,"DirectRouting":true}}'
    const found = consequences(BEFORE, after, LEASES)
    expect(found.live.map(({ path }) => path)).toEqual(['SubnetMax', 'Backend.DirectRouting'])
    expect(found.atRestart).toEqual([{ path: 'Backend.VNI', from: '100', to: '7' }])
    expect(found.outside.map(({ key }) => key)).toEqual(['10.99.0.0-20']) // the third was cut off before
    const said = sayConsequences(found, 'next.json').join('\n')
    expect(said).toMatch(/restart all agents in one go/)
    expect(said).toMatch(/^1 lease would lie outside: 10\.99\.0\.0-20 of the node at 192\.168\.205\.21/m)
  })

  it('that is only written otherwise is the same', () => {
    const found = consequences(BEFORE, `${BEFORE.replace('"VNI"', '"vni"')}\n`, LEASES)
    expect([found.isSame, found.outside]).toEqual([true, []])
    expect(sayConsequences(found, 'next.json')).toEqual(['next.json means the same as what stands in etcd'])
  })

  it.each([
    [undefined, 'there is none yet'],
    ['{', 'what stands there cannot be read'],
  ])('in the place of %s cannot be compared', (before, instead) => {
    expect(consequences(before, BEFORE, LEASES)).toMatchObject({
      instead: containing(instead),
      outside: [{ key: '10.200.0.0-24' }],
    })
  })
})

describe('what a configuration means', () => {
  it('is shown with the defaults marked', () => {
    const facts = new Map(
      configFacts('{"network":"10.0.0.0/8","Backend":{"vni":100}}').map((fact) => [fact.path, fact]),
    )
    expect(facts.get('Network')).toEqual({ path: 'Network', value: '10.0.0.0/8', isDefault: false })
    expect(facts.get('SubnetLen')).toEqual({ path: 'SubnetLen', value: 24, isDefault: true })
    expect(facts.get('Backend.VNI')).toMatchObject({ value: 100, isDefault: false })
    expect(facts.get('Backend.Port')).toMatchObject({ value: 8472, isDefault: true })
    expect(facts.get('EnableIPv6')).toMatchObject({ value: false, isDefault: true })
  })

  it('names every field that nothing reads', () => {
    expect(unreadFields('{"Network":"10.0.0.0/8","Backend":{"vni":1,"VNIs":2,"Foo":3},"Comment":"x"}')).toEqual([
      ...['Comment', 'Backend.VNIs', 'Backend.Foo'],
    ])
    expect(unreadFields('{"Network":"10.0.0.0/8","Backend":{"Type":"udp","MTU":1400,"Port":1}}')).toEqual([
      'Backend.MTU',
    ])
  })

  it('can be had again as it was', () => {
    expect(undoingSet(`${BEFORE}\n`, '/p/config')).toBe(
      `To undo:\nflanneld config set --yes --force - <<'END'\n${BEFORE}\nEND\n`,
    )
    expect(undoingSet(undefined, '/p/config')).toBe('To undo: etcdctl del /p/config\n')
  })
})
