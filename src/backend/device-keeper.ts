import type { BackendConfig } from '../config/backend.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { ForwarderCounts } from '../kernel/tun.ts'
import type { Underlay } from '../kernel/underlay.ts'
import type { Mac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Logger } from '../observe/logger.ts'
import type { Clock, Random } from '../time/clock.ts'

/** Something about a device of ours that cannot be as it must. What is in the way may go, so it is tried again. */
export class DeviceError extends Error {
  override readonly name: string = 'DeviceError'
}

/** What the keeper of a device is handed. */
export interface DevicePorts {
  readonly kernel: Kernel
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Makes a kernel setting so, its name given in parts. Rejects with Node's own error; ENOENT when there is no such setting. */
  readonly setSysctl: (name: readonly string[], value: string) => Promise<void>
  /** Subnets that this host had in earlier runs, as far as it remembers. */
  readonly formerSubnets?: readonly Prefix[]
}

/** What about a device is not as it should be, and is put off. */
export interface Postponed {
  /** For people. */
  readonly found: string
  /** Whether the device carries what containers send meanwhile. */
  readonly carries: boolean
}

/** What tending a device came to. */
export interface DeviceReport {
  /** Undefined while its making is put off. */
  readonly linkIndex: number | undefined
  /** Whether it was made or mended: its tables may be other than they were. */
  readonly hasChanged: boolean
  /** Addresses of others on it that stand in the way of ours; empty: none. */
  readonly foreignAddresses: readonly string[]
  /** Of what containers send through it, in octets. */
  readonly mtu: number
  /** What could not be done, and that the device works without. */
  readonly problem: DeviceError | undefined
  /** What is left as it is for now, because somebody keeps changing it; undefined: nothing. */
  readonly postponed: Postponed | undefined
}

/** Keeps the one device of ours of an address family. Passive: it waits for nobody, and does something only when it is called. */
export interface DeviceKeeper {
  /** The one that it has, or would have if it was made now: where the kernel chooses it, it may be another after {@link tend}. */
  readonly name: string
  /** What peers know of it, where it is the end of tunnels. */
  readonly endPoint?: { readonly mac?: Mac; readonly vni?: number; readonly port: number }
  /**
   * Brings the device about, as it must be on the underlay as it is, and says in the log what it did.
   * @throws {DeviceError | KernelError} what the world may undo again
   * @throws {ConfigError} when it cannot be on this underlay
   */
  tend(underlay: Underlay, signal: AbortSignal): Promise<DeviceReport>
  /** What it has counted of the packets that it carries itself; undefined, or absent: it carries none. */
  counts?(): ForwarderCounts | undefined
  /** How long from now {@link tend} may be put off, in milliseconds; undefined: until something is reported. */
  dueInMs(): number | undefined
  /** Changes nothing. @throws {ConfigError} when the device cannot be on this underlay as the configuration says */
  check(config: BackendConfig, underlay: Underlay): void
  /** From now on the device is to be as this configuration says; made so at the next {@link tend}. What it was made with stays. */
  configure(config: BackendConfig): void
  /** Our subnet has become another node's: the device answers for it no longer. Never throws for what the kernel refuses. */
  withdraw(signal: AbortSignal): Promise<void>
  /** Nobody calls it any more: lets go of what must not outlive the session. Absent: all of it may, and does. */
  end?(): void
}
