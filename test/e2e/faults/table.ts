import type { Lab, LabHost } from '../../lab/index.ts'
import type { ForeignSurvivors, OverlayState } from './state.ts'

/** The host that a fault strikes, and where. */
export interface Scene {
  readonly lab: Lab
  readonly host: LabHost
  /** How many peers the host has when nothing is wrong. */
  readonly peers: number
}

/** When a fault strikes. The names are part of the tests' titles. */
export const MOMENTS = [
  'while idle',
  'while containers ping each other',
  'while etcd is out of reach',
  'while the agent is down',
  'while the agent is frozen',
  'during start-up',
] as const
export type MomentName = (typeof MOMENTS)[number]

/** The moments at which the agent that will heal it is there already. */
export const RUNNING: readonly MomentName[] = [
  'while containers ping each other',
  'while etcd is out of reach',
  'while the agent is frozen',
]
export const RUNNING_OR_DOWN: readonly MomentName[] = [...RUNNING, 'while the agent is down']

/** One row of the matrix. */
export interface Fault {
  /** Part of the tests' titles. */
  readonly fault: string
  /** What people on the host see of it, for docs/reliability.md. */
  readonly users: string
  inflict(scene: Scene): Promise<unknown>
  /** All of them unless said otherwise. */
  readonly moments?: readonly MomentName[]
  /** What others have on the device and the fault leaves there: all of it unless said otherwise. */
  readonly foreign?: ForeignSurvivors
  /** The device is made anew: it may have another index. */
  readonly recreates?: true
  /** The end state, from the state before; the same unless said otherwise. */
  expected?(before: OverlayState): OverlayState
  /** The end state in the tests' titles; `restored` unless said otherwise. */
  readonly outcome?: string
  /** What else must be true once the end state stands. */
  check?(scene: Scene): Promise<unknown>
  /** Ends what lasts on its own, after the look at the end state; the state before must be back then, equally soon. */
  undo?(scene: Scene): Promise<unknown>
  /** How soon the end state must stand, in milliseconds. */
  readonly deadlineMs?: number
}

/** How soon the overlay must be whole again after a fault of the kernel or the underlay. */
export const HEALED_WITHIN_MS = 2_000

export const titleOf = (
  { fault, outcome = 'restored' }: Pick<Fault, 'fault' | 'outcome'>,
  moment: MomentName,
): string => `kernel: ${fault}, ${moment}: ${outcome}`

export const happensAt = ({ moments = MOMENTS }: Pick<Fault, 'moments'>, moment: MomentName): boolean =>
  moments.includes(moment)

/** Every test that the table makes. */
export const titlesOf = (faults: readonly Fault[]): readonly string[] =>
  faults.flatMap((fault) =>
    MOMENTS.filter((moment) => happensAt(fault, moment)).map((moment) => titleOf(fault, moment)),
  )
