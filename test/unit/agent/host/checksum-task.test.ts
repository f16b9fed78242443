import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ChecksumTask } from '../../../../src/agent/host/checksum-task.ts'
import { Conditions } from '../../../../src/agent/runtime/conditions.ts'
import { runTask } from '../../../../src/agent/runtime/task.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { recordingLog } from '../../../fake/recording-log.ts'
import { runtime } from '../../../fake/runtime.ts'

let clock: FakeClock
let conditions: Conditions
let errors: number | undefined
let stop: AbortController
let running: Promise<void>

beforeEach(() => {
  clock = new FakeClock()
  conditions = new Conditions({ clock, log: recordingLog() })
  errors = 5_000
  stop = new AbortController()
  const ports = { conditions, readChecksumErrors: () => Promise.resolve(errors) }
  running = runTask(new ChecksumTask({ ports }), runtime(clock, stop.signal))
})

afterEach(async () => {
  stop.abort()
  await running
})

const failing = (): readonly string[] => conditions.all().map(({ what, effect }) => `${effect} ${what}`)
const later = async (more: number): Promise<readonly string[]> => {
  errors = (errors ?? 0) + more
  await clock.advance(30_000)
  return failing()
}

describe('packets with wrong checksums', () => {
  it('are named while ten or more come in half a minute, and not for what came before', async () => {
    expect(await later(0)).toEqual([])
    expect(await later(9)).toEqual([])
    expect(await later(10)).toEqual(['degraded checksums'])
    expect(conditions.all()[0]?.reason).toMatch(/^10 packets came in with wrong checksums within 30 s/)
    expect(await later(0)).toEqual([])
  })

  it('are nobody’s business where the kernel does not count them', async () => {
    errors = undefined
    await clock.advance(90_000)
    expect(failing()).toEqual([])
    expect(await later(7_000)).toEqual([]) // what they were before is not known
  })
})
