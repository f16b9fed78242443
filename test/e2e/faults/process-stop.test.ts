import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { waitFor, type LabHost } from '../../lab/index.ts'
import { wholeDevice } from '../../lab/expected-tables.ts'
import { bringUp, useLab } from '../../lab/use-lab.ts'
import { allExact, inCircle, losesNoPing, says, spokenBy } from './etcd-overlay.ts'
import { isForwarding } from './moments.ts'

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
  const skip = await spokenBy(host)
  await lose()
  await says(host, /out of reach/, 10_000, skip)
}

async function startWithout(host: LabHost, what: RegExp): Promise<void> {
  await host.agent.kill()
  host.agent.start()
  await says(host, what)
}

const SITUATIONS: readonly Situation[] = [
  {
    title: 'process: SIGTERM while idle: exit code 0 within 1 s, device and entries in place',
    arrange: () => Promise.resolve(),
  },
  {
    title: 'process: SIGTERM during start-up: exit code 0 within 1 s, device and entries in place',
    arrange: (host) => startWithout(host, /underlay chosen/),
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
      await startWithout(host, /network configuration: .*retrying/)
    },
  },
  {
    title: 'process: SIGTERM during a start-up with etcd frozen: exit code 0 within 1 s, device and entries in place',
    arrange: async (host) => {
      lab().etcd.member.freeze()
      await startWithout(host, /flanneld \S+ starts/)
    },
  },
]

describe('an agent that is asked to stop', () => {
  beforeEach(async () => {
    for (const host of lab().hosts) {
      if (!host.agent.isRunning) host.agent.start()
      await waitFor(`${host.name} to forward`, () => isForwarding(host))
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
