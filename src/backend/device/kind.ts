import type { LinkState } from '../../kernel/kernel.ts'
import { DeviceError } from '../device-keeper.ts'

/** Another device, or a program, stands where ours must be. Only a person can decide what becomes of it. */
export class DeviceConflictError extends DeviceError {
  override readonly name = 'DeviceConflictError'
}

/** One device of one kind: how it is found, made and removed, and what is fixed when it is made. */
export interface DeviceKind {
  /** All that is fixed when it is made, as text: where that changes, nobody has meddled with it. */
  readonly parameters: string
  /** Ours under its name, whether it can be kept or not. @throws {DeviceConflictError} when a device has our name that can be none of ours */
  find(signal: AbortSignal): Promise<LinkState | undefined>
  /** Ours under another name. */
  findRenamed(signal: AbortSignal): Promise<LinkState | undefined>
  /** Why it cannot carry this overlay and must be made anew; undefined when it can be kept. */
  incompatibility(link: LinkState): string | undefined
  /** @throws {KernelError | DeviceError} */
  make(signal: AbortSignal): Promise<void>
  /** @throws {KernelError} */
  remove(link: LinkState, signal: AbortSignal): Promise<void>
  /** What is to be thrown instead of a refusal: who stands in the way. */
  explain(error: unknown, signal: AbortSignal): Promise<unknown>
  /** The device of a former configuration of ours that is the cause of a refusal, and may go; undefined: there is none. */
  former(error: unknown, signal: AbortSignal): Promise<LinkState | undefined>
}
