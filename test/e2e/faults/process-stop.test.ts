import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FOUND_DEAD_WITHIN_MS } from '../../lab/etcd-process.ts'
import { answers, fails, forwards, holds, type LabHost } from '../../lab/index.ts'
import { says } from '../../lab/log.ts'
import { wholeDevice } from '../../lab/expected-tables.ts'
import { bringUp, useLab } from '../../lab/use-lab.ts'
import { allExact, inCircle, losesNoPing } from './etcd-overlay.ts'

/** From SIGTERM to the end of the process. */
const STOPPED_WITHIN_MS = 1_000

const lab = useLab({ hosts: 3 }, bringUp)

/** Entries and device as they are, and the end of the agent in time, without a ping lost. */
async function stopsInTime(host: LabHost): Promise<void> {
  const device = await wholeDevice(host)
  await losesNoPing(inCircle(lab().hosts), async () => {
    const startMs = performance.now()
    expect(await host.agent.stop()).toEqual({ code: 0, signal: null })
    expect(performance.now() - startMs, 'milliseconds to the end').toBeLessThan(STOPPED_WITHIN_MS)
  })
  expect(await wholeDevice(host)).toEqual(device)
}

/** A state of things in which the agent is asked to stop. */
interface Situation {
  readonly title: string
  arrange(host: LabHost): Promise<unknown>
}

const etcdIsNoticedMissing = async (host: LabHost, lose: () => unknown): Promise<void> => {
  await holds(host, 'etcd', { deadlineMs: 15_000 })
  await lose()
  await fails(host, 'etcd', /is out of reach/, { deadlineMs: FOUND_DEAD_WITHIN_MS })
}

/** Starts it anew, up to a moment of its start. */
async function startUntil(host: LabHost, moment: (host: LabHost) => Promise<unknown>): Promise<void> {
  await host.agent.kill()
  host.agent.start()
  await moment(host)
}

const PATIENTLY = { deadlineMs: 20_000 }

const SITUATIONS: readonly Situation[] = [
  {
    title: 'process: SIGTERM while idle: exit code 0 within 1 s, device and entries in place',
    arrange: () => Promise.resolve(),
  },
  {
    title: 'process: SIGTERM during start-up: exit code 0 within 1 s, device and entries in place',
    arrange: (host) => startUntil(host, () => says(host, /underlay chosen/, PATIENTLY)),
  },
  {
    title: 'process: SIGTERM while etcd is frozen: exit code 0 within 1 s, device and entries in place',
    arrange: (host) =>
      etcdIsNoticedMissing(host, () => {
        lab().etcd.member.freeze()
      }),
  },
  {
    title: 'process: SIGTERM while etcd is dead: exit code 0 within 1 s, device and entries in place',
    arrange: (host) => etcdIsNoticedMissing(host, () => lab().etcd.member.stop('SIGKILL')),
  },
  {
    title: 'process: SIGTERM during a start-up without etcd: exit code 0 within 1 s, device and entries in place',
    arrange: async (host) => {
      await lab().etcd.member.stop('SIGKILL')
      await startUntil(host, () => fails(host, 'network configuration', /^/, PATIENTLY))
    },
  },
  {
    title: 'process: SIGTERM during a start-up with etcd frozen: exit code 0 within 1 s, device and entries in place',
    arrange: async (host) => {
      lab().etcd.member.freeze()
      await startUntil(host, () => answers(host, PATIENTLY))
    },
  },
]

describe('an agent that is asked to stop', () => {
  beforeEach(async () => {
    for (const host of lab().hosts) {
      if (!host.agent.isRunning) host.agent.start()
      await forwards(host)
    }
    await allExact(lab())
  })
  afterEach(async () => {
    lab().etcd.member.thaw()
    await lab().etcd.restart()
  })

  for (const situation of SITUATIONS)
    test(situation.title, async () => {
      const host = lab().host(0)
      await situation.arrange(host)
      await stopsInTime(host)
    })
})
