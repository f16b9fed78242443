import type { AgentPorts } from '../../agent/runtime/ports.ts'
import type { SubnetManager } from '../../agent/runtime/subnet-manager.ts'
import type { Environment } from '../../config/environment.ts'
import type { DaemonOptions } from '../../config/options.ts'
import type { StoreFacts } from '../serve/live-agent.ts'

/** What a store of subnets is opened with. */
export interface DaemonStorePorts extends Pick<
  AgentPorts,
  'clock' | 'random' | 'log' | 'conditions' | 'status' | 'counts'
> {
  readonly environment: Environment
}

/** Whoever gives the daemon its subnet, with the connection to it. */
export interface DaemonStore {
  readonly subnets: SubnetManager
  /** For the status. */
  readonly facts: StoreFacts
  /** Files of certificates and the like may have changed: they are read again. @returns what is wrong with them */
  lookAgain(): string | undefined
  close(): void
}

/** Opens the store that these options name. @throws {ConfigError} for what cannot be followed */
export type OpenDaemonStore = (options: DaemonOptions, ports: DaemonStorePorts) => DaemonStore
