import { fails, forwards, type Lab, type LabHost } from '../../lab/index.ts'
import { says } from '../../lab/log.ts'
import type { MomentName, Scene } from './table.ts'

/** What remains to be seen once the end state stands. */
type Aftermath = () => Promise<void>

const NOTHING_MORE: Aftermath = () => Promise.resolve()

/** How a fault is made to strike at a moment. */
export interface Moment {
  /** Before the first fault of this moment. */
  enter?(lab: Lab): Promise<void>
  /** Whether an agent can be started afresh after a fault. */
  readonly restarts: boolean
  strike(scene: Scene, fault: () => Promise<unknown>): Promise<Aftermath>
}

/** A start takes a second, unless the machine has other things to do; what is measured begins after it. */
const START_WITHIN_MS = 30_000

export async function startAgain(host: LabHost): Promise<void> {
  host.agent.start()
  await getsToForward(host)
}

async function getsToForward(host: LabHost): Promise<void> {
  try {
    await forwards(host, { deadlineMs: START_WITHIN_MS })
  } catch (error) {
    throw new Error(`${host.name} does not forward:\n${await host.agent.logOfRun()}`, { cause: error })
  }
}

const onceStruck = async (_: Scene, fault: () => Promise<unknown>): Promise<Aftermath> => {
  await fault()
  return NOTHING_MORE
}

/** From a container of the host that is struck to one of the next. */
async function strikeAmidPings({ lab, host }: Scene, fault: () => Promise<unknown>): Promise<Aftermath> {
  const [from] = host.containers
  const [to] = lab.host((lab.hosts.indexOf(host) + 1) % lab.hosts.length).containers
  if (!from || !to) throw new Error('no containers')
  const stream = from.pingStream(to.address)
  await stream.progress(3)
  await fault()
  return async () => {
    await stream.progress(3)
    await stream.stop()
  }
}

async function loseEtcd({ etcd, hosts }: Lab): Promise<void> {
  await etcd.member.stop('SIGKILL')
  for (const host of hosts) await fails(host, 'etcd', /is out of reach/)
}

async function strikeInAbsence({ host }: Scene, fault: () => Promise<unknown>): Promise<Aftermath> {
  await host.agent.kill()
  await fault()
  await startAgain(host)
  return NOTHING_MORE
}

async function strikeFrozen({ host: { agent } }: Scene, fault: () => Promise<unknown>): Promise<Aftermath> {
  agent.freeze()
  try {
    await fault()
  } finally {
    agent.thaw()
  }
  return NOTHING_MORE
}

/** Between its choice of an underlay and its first look at the device. */
async function strikeDuringStart({ host }: Scene, fault: () => Promise<unknown>): Promise<Aftermath> {
  const { agent } = host
  await agent.kill()
  agent.start()
  await says(host, /underlay chosen/, { everyMs: 2 }) // a moment that no state lasts for
  await fault()
  await getsToForward(host)
  return NOTHING_MORE
}

export const MOMENT: Readonly<Record<MomentName, Moment>> = {
  'while idle': { restarts: true, strike: onceStruck },
  'while containers ping each other': { restarts: true, strike: strikeAmidPings },
  'while etcd is out of reach': { restarts: false, enter: loseEtcd, strike: onceStruck },
  'while the agent is down': { restarts: false, strike: strikeInAbsence },
  'while the agent is frozen': { restarts: true, strike: strikeFrozen },
  'during start-up': { restarts: false, strike: strikeDuringStart },
}
