import { SUBNET_FILE } from '../lab/index.ts'
import { AGENT_FLAGS, agentOf, seconds, STORE, type Fault, type Lasting, type Machine } from './fault.ts'
import type { SeededRandom } from './random.ts'

/** A process that is asked to stop before it could listen ends by the signal instead of with exit code 0. */
const LISTENS_AFTER_MS = 2_000

const startedAt = new WeakMap<Machine, number>()

function start(machine: Machine): Promise<void> {
  machine.host.agent.start(AGENT_FLAGS)
  startedAt.set(machine, performance.now())
  machine.isDown = false
  return Promise.resolve()
}

async function stop(machine: Machine): Promise<void> {
  const ranForMs = performance.now() - (startedAt.get(machine) ?? 0)
  machine.isDown = true
  const { code, signal } = await machine.host.agent.stop()
  const tooEarly = signal === 'SIGTERM' && ranForMs < LISTENS_AFTER_MS
  if (code !== 0 && !tooEarly)
    throw new Error(`the agent of ${machine.host.name} ended with ${signal ?? `exit code ${code ?? '?'}`} on SIGTERM`)
}

async function kill(machine: Machine): Promise<void> {
  machine.isDown = true
  await machine.host.agent.kill()
}

const restartLater = (machine: Machine, random: SeededRandom): Lasting => ({
  forMs: seconds(0, 4, random),
  end: () => start(machine),
})

function freeze({ host }: Machine, random: SeededRandom): Promise<Lasting> {
  host.agent.freeze()
  const end = (): Promise<void> => {
    host.agent.thaw()
    return Promise.resolve()
  }
  return Promise.resolve({ forMs: seconds(1, 10, random), end })
}

/** With its lease gone as well, nothing would say which subnet a machine had: etcd must keep it until the file is back. */
const fileAndLease = (machine: Machine): readonly string[] => [agentOf(machine), STORE]

const loseFile = ({ host }: Machine): Promise<unknown> => host.place.exec('rm', ['-f', SUBNET_FILE])

export const AGENT_FAULTS: readonly Fault[] = [
  {
    name: 'agent frozen for seconds',
    weight: 3,
    locks: (machine) => [agentOf(machine)],
    strike: (_, machine, random) => freeze(machine, random),
  },
  {
    name: 'agent stopped and started',
    weight: 3,
    restartsAgent: true,
    locks: (machine) => [agentOf(machine)],
    strike: async (_, machine, random) => {
      await stop(machine)
      return restartLater(machine, random)
    },
  },
  {
    name: 'agent killed and started',
    weight: 3,
    restartsAgent: true,
    locks: (machine) => [agentOf(machine)],
    strike: async (_, machine, random) => {
      await kill(machine)
      return restartLater(machine, random)
    },
  },
  {
    name: 'subnet file lost while the agent is down',
    weight: 1,
    restartsAgent: true,
    locks: fileAndLease,
    strike: async (_, machine) => {
      await kill(machine)
      await loseFile(machine)
      await start(machine)
      await machine.host.ready()
      return undefined
    },
  },
  {
    name: 'subnet file deleted',
    weight: 2,
    locks: fileAndLease,
    strike: async (_, machine) => {
      await loseFile(machine)
      await machine.host.ready()
      return undefined
    },
  },
]
