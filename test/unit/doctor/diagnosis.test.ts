import { describe, expect, it } from 'vitest'
import { diagnose, UNEXPLAINED } from '../../../src/doctor/diagnosis.ts'
import type { ConditionStatus } from '../../../src/status/document.ts'
import { fault } from '../../fake/fake-view.ts'
import { finding } from './samples.ts'

const condition = (what: string, effect: ConditionStatus['effect'] = 'degraded'): ConditionStatus => ({
  ...{ what, effect, reason: 'is not well', since: '2026-01-01T00:00:00Z', forSeconds: 61, fault: null },
})

const causes = (...args: Parameters<typeof diagnose>): readonly string[] => diagnose(...args).map(({ cause }) => cause)

describe('what is told of what was found', () => {
  it('is nothing where nothing was found', () => {
    expect(diagnose([], [])).toEqual([])
  })

  it('begins with the root cause, and ends with what may do harm', () => {
    const found = [
      finding({ cause: 'underlay-down', severity: 'risk' }),
      finding({ cause: 'peer-off', peer: 'b' }),
      finding({ cause: 'underlay-without-carrier' }),
    ]
    expect(causes(found, [])).toEqual(['underlay-without-carrier', 'peer-off', 'underlay-down'])
  })

  it('tells what keeps anything from leaving this host before the store that is not reached for it', () => {
    const found = [finding({ cause: 'etcd-unreachable' }), finding({ cause: 'underlay-down' })]
    expect(causes(found, [])).toEqual(['underlay-down', 'etcd-unreachable'])
  })

  it('says nothing twice', () => {
    expect(causes([finding(), finding(), finding({ summary: 'other' })], [])).toHaveLength(2)
  })

  it('hides what is only inferred of a peer behind what is certain of all', () => {
    const inferred = finding({ cause: 'peer-off', peer: 'b', isInferred: true })
    expect(causes([inferred, finding({ covers: 'all peers' })], [])).toEqual(['udp-port-dropped-here'])
    expect(causes([inferred, finding()], [])).toEqual(['udp-port-dropped-here', 'peer-off'])
    expect(causes([inferred, finding({ covers: 'all peers', severity: 'risk' })], [])).toHaveLength(2)
  })

  it('hides what is only inferred of a peer behind what is certain of that peer alone', () => {
    const inferred = finding({ cause: 'peer-off', peer: 'b', isInferred: true })
    expect(causes([inferred, finding({ cause: 'vni-differs', peer: 'b' })], [])).toEqual(['vni-differs'])
    expect(causes([inferred, finding({ cause: 'vni-differs', peer: 'c' })], [])).toHaveLength(2)
  })

  it('hides what is left to suppose of a peer behind what is inferred of it or of all, and nothing else that is inferred', () => {
    const all = finding({ cause: 'public-ip-behind-nat', isInferred: true, covers: 'all peers' })
    const left = finding({ cause: 'udp-port-dropped-there', peer: 'b', isInferred: true, isLastResort: true })
    const off = finding({ cause: 'peer-off', peer: 'c', isInferred: true })
    expect(causes([left, off, all], [])).toEqual(['public-ip-behind-nat', 'peer-off'])
    expect(causes([left, off], [])).toEqual(['peer-off', 'udp-port-dropped-there'])
    expect(causes([left, finding({ ...off, peer: 'b' })], [])).toEqual(['peer-off'])
    expect(causes([left, finding({ ...left, cause: 'tunnels-do-not-leave' })], [])).toHaveLength(2)
  })

  describe('where peers do not know of this host', () => {
    const silence = finding({ cause: 'udp-port-dropped-there', peer: 'b', isInferred: true, isLastResort: true })
    const lease = condition('lease')

    it('is that alone, and nothing that their silence lets suppose', () => {
      expect(causes([silence], [lease, condition('answers of peers of IPv4')])).toEqual([UNEXPLAINED])
      expect(
        causes([finding({ cause: 'node-missing', explains: ['lease'], covers: 'all peers' }), silence], [lease]),
      ).toEqual(['node-missing'])
    })

    it('is not supposed of a lease that only cannot be renewed, as it still stands', () => {
      expect(causes([silence], [{ ...lease, fault: fault() }])).toHaveLength(2)
    })
  })

  it('leaves out what a root leads to, whose cure would do harm, unless that is a risk alone', () => {
    const root = finding({ cause: 'duplicate-public-ip', leadsTo: ['bridge-on-other-subnet'] })
    const bridge = finding({ cause: 'bridge-on-other-subnet' })
    expect(causes([bridge, root], [])).toEqual(['duplicate-public-ip'])
    expect(causes([bridge, { ...root, severity: 'risk' }], [])).toHaveLength(2)
  })

  it('tells conditions that nothing explains, each in its own words', () => {
    expect(diagnose([finding({ explains: ['drops of others'] })], [condition('drops of others')])).toHaveLength(1)
    expect(diagnose([], [condition('subnet file')])).toEqual([
      expect.objectContaining({ cause: UNEXPLAINED, severity: 'broken', summary: 'subnet file: is not well' }),
    ])
    expect(diagnose([], [condition('expiry of certificates', 'none')])).toEqual([
      expect.objectContaining({ severity: 'risk' }),
    ])
  })

  it('says nothing of what the agent has seen, and is over by now as checks look at it themselves', () => {
    const names = ['drops of others', 'container bridge', 'net.ipv4.ip_forward', 'net.ipv4.conf.cni0.forwarding']
    expect(
      diagnose(
        [],
        names.map((name) => condition(name)),
      ),
    ).toEqual([])
  })

  it('takes a star at the end of a name for whatever follows', () => {
    const found = [finding({ explains: ['routes to peers of*'] })]
    expect(diagnose(found, [condition('routes to peers of IPv4'), condition('routes')])).toHaveLength(2)
  })
})
