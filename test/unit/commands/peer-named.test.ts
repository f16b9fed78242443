import { describe, expect, it } from 'vitest'
import { requireNamed, requireWord } from '../../../src/commands/examine/peer-named.ts'
import type { Suspect } from '../../../src/doctor/view.ts'
import type { LeaseRecord } from '../../../src/lease/store.ts'
import { AgentAnswerError } from '../../../src/status/client/errors.ts'
import { leaseRecord } from '../../fake/samples.ts'
import { silent } from '../doctor/samples.ts'

const NOBODY = /^no peer or lease has the name, address or subnet two: /
const lease = (hostname: string): LeaseRecord =>
  leaseRecord('10.15.65.0-24', JSON.stringify({ PublicIP: '192.168.205.11', Node: { ID: 'x', Hostname: hostname } }))

const naming = (
  suspects: () => Promise<readonly Suspect[]>,
  records: readonly LeaseRecord[] | undefined,
  about: string | undefined = 'two',
): Promise<void> => requireNamed({ about, suspects }, () => Promise.resolve(records))

const none = (): Promise<readonly Suspect[]> => Promise.resolve([])
const refusing = (status: number) => (): Promise<never> => Promise.reject(new AgentAnswerError('no', status))

describe('who is meant by doctor --peer', () => {
  it('is a peer that can be asked, or a node that has a lease', async () => {
    await naming(() => Promise.resolve([silent()]), [])
    await naming(none, [lease('two')])
    await naming(refusing(404), [lease('two')])
  })

  it('is nobody where neither a peer nor a lease has that name', async () => {
    await expect(naming(none, [lease('three')])).rejects.toThrow(NOBODY)
    await expect(naming(refusing(404), [])).rejects.toThrow(NOBODY)
  })

  it('is left open where it cannot be known, which is for the checks to say', async () => {
    await naming(none, undefined)
    await naming(refusing(503), [])
  })

  it.each(['', ' '])('is bad usage where the word is "%s"', (word) => {
    expect(() => {
      requireWord(new Map([['peer', [word]]]))
    }).toThrow(/--peer/)
    requireWord(new Map([['peer', ['two']]]))
    requireWord(new Map())
  })
})
