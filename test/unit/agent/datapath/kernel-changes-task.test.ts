import { expect, test } from 'vitest'
import { ChangesTask, type ChangeFollower } from '../../../../src/agent/datapath/kernel-changes-task.ts'
import type { KernelChange } from '../../../../src/kernel/kernel.ts'
import { FakeClock } from '../../../fake/fake-clock.ts'
import { FakeKernel } from '../../../fake/fake-kernel.ts'
import { recordingLog } from '../../../fake/recording-log.ts'

class Follower implements ChangeFollower {
  readonly seen: KernelChange['kind'][] = []
  readonly watchedLinks: readonly number[]
  wantsOtherRoutes = false

  constructor(...watchedLinks: readonly number[]) {
    this.watchedLinks = watchedLinks
  }

  observe({ kind }: KernelChange): void {
    this.seen.push(kind)
  }
}

test('passes what the kernel reports on to all, and asks it only for what one of them wants to hear', async () => {
  const [kernel, clock, log, stop] = [new FakeKernel(), new FakeClock(), recordingLog(), new AbortController()]
  const [one, other] = [new Follower(7), new Follower(8, 9)]
  const asked: Parameters<FakeKernel['changes']>[] = []
  const changes = kernel.changes.bind(kernel)
  kernel.changes = (...args) => {
    asked.push(args)
    return changes(...args)
  }
  const running = new ChangesTask({ ports: { kernel, clock, log }, followers: [one, other] }).run(stop)
  const [watched, , otherRoutes] = asked[0] ?? []
  expect([watched?.(), otherRoutes?.()]).toEqual([[7, 8, 9], false])
  other.wantsOtherRoutes = true
  expect(otherRoutes?.()).toBe(true)

  kernel.addCard('eth0')
  await clock.settle()
  for (let times = 0; times < 3; times++) {
    kernel.overrun()
    await clock.settle()
  }
  for (const { seen } of [one, other]) expect(seen).toEqual(['link', 'overrun', 'overrun', 'overrun'])
  expect(log.lines).toEqual([expect.stringMatching(/^warn /)])
  stop.abort()
  await running
})
