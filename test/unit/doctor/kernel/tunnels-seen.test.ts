import { describe, expect, it } from 'vitest'
import { judgeSight } from '../../../../src/doctor/kernel/tunnels-seen.ts'
import type { Sight, TunnelledEcho } from '../../../../src/doctor/view.ts'
import { ip } from '../../../../src/net/ip.ts'
import { DEVICE, HERE, silent } from '../samples.ts'

const peer = silent()
const question = (fields: Partial<TunnelledEcho> = {}): TunnelledEcho => ({
  ...{ outerFrom: HERE.underlay.address, outerTo: ip(peer.publicIp), port: DEVICE.port },
  ...{ from: DEVICE.address, to: ip('10.15.65.0'), isAnswer: false, ...fields },
})
const found = (fields: Partial<Sight>): ReturnType<typeof judgeSight> =>
  judgeSight({
    here: HERE,
    peer,
    sight: { asked: 3, leaving: [question()], answers: 0, questions: 0, counted: [], ...fields },
  })

describe('what is seen on the underlay while a peer is asked in vain', () => {
  it('says nothing of this host where tunnels leave and nothing comes back', () => {
    expect(found({})).toEqual([])
    expect(found({ questions: 2 })).toEqual([])
  })

  it('says that nothing leaves, and gives way to whatever knows why', () => {
    const [finding] = found({ leaving: [], counted: ['IpOutDiscards +3'] })
    expect(finding).toMatchObject({
      cause: 'tunnels-do-not-leave',
      covers: 'peer',
      isInferred: true,
      isLastResort: true,
    })
    expect(finding?.evidence.at(-1)).toBe('nstat: IpOutDiscards +3 meanwhile')
  })

  it.each([{ outerFrom: ip('192.168.205.1') }, { outerTo: ip('192.168.205.12') }, { port: 4789 }])(
    'says for certain that what leaves is another packet than it should be: %j',
    (fields) => {
      expect(found({ leaving: [question(fields)], answers: 3 })).toMatchObject([{ cause: 'tunnels-rewritten-here' }])
      expect(found({ leaving: [question(fields)] })[0]).not.toHaveProperty('isInferred')
    },
  )

  it('says that answers come in, and are dropped before they are heard', () => {
    expect(found({ answers: 3 })).toMatchObject([{ cause: 'answers-dropped-here', isLastResort: true }])
  })
})
