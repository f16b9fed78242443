import type { Lab, LabHost } from '../lab/index.ts'
import type { FakePeers } from './fake-peers.ts'
import type { SeededRandom } from './random.ts'

export const DEVICE = 'flannel.100'

/** How long agents keep peers that a fault of etcd has taken: short, so that a run sees the end of it. */
export const GRACE_SECONDS = 60
export const AGENT_FLAGS: readonly string[] = [`--stale-peer-grace=${GRACE_SECONDS}`]

/** What a machine is like when nothing is broken, as far as faults change it. */
export interface Machine {
  readonly host: LabHost
  /** Its agent is never restarted, so that its memory can be compared over the whole run. */
  readonly isMeasured: boolean
  /** Name of its lease, fixed for the run. */
  readonly leaseName: string
  address: string
  underlayMtu: number
  /** A fault has ended the agent and will start it again. */
  isDown: boolean
}

export interface World {
  readonly lab: Lab
  readonly machines: readonly Machine[]
  readonly peers: FakePeers
  /** Writes the network configuration, which a wipe takes away. */
  putConfig(): Promise<void>
}

/** The end of a fault that lasts. */
export interface Lasting {
  readonly forMs: number
  end(): Promise<void>
}

export interface Fault {
  readonly name: string
  /** How often it is chosen, relative to the others. */
  readonly weight: number
  /** It ends the agent: not for measured machines. */
  readonly restartsAgent?: boolean
  /** Least distance between two of its kind, also from the start, in milliseconds. */
  readonly atMostEveryMs?: number
  /** What no other fault may touch while it lasts. */
  locks(machine: Machine): readonly string[]
  /** Makes it; it may be over at once. */
  strike(world: World, machine: Machine, random: SeededRandom): Promise<Lasting | undefined>
}

export const nothing = (): readonly string[] => []
export const STORE = 'etcd'
export const agentOf = ({ host }: Machine): string => `agent of ${host.name}`
export const linkOf = ({ host }: Machine): string => `link of ${host.name}`

/** A fault that is over as soon as it is made. */
export const atOnce =
  (make: (world: World, machine: Machine, random: SeededRandom) => Promise<unknown>): Fault['strike'] =>
  async (world, machine, random) => {
    await make(world, machine, random)
    return undefined
  }

export const seconds = (low: number, high: number, random: SeededRandom): number =>
  random.between(low * 1000, high * 1000)
