import { existsSync } from 'node:fs'
import { DEFAULT_SOCKET } from '../../cli/command/common-flags.ts'
import type { Layer } from '../../cli/layers.ts'
import { ConfigError } from '../../config/error.ts'

/** What {@link agentSocket} needs of the host. */
export interface SocketPorts {
  isThere(path: string): boolean
  /** Where the daemon of this host was told to listen. @throws {ConfigError} */
  told(own: Layer): Promise<string | undefined>
}

const HOST: SocketPorts = {
  isThere: existsSync,
  told: async (own) => (await import('../settings/daemon-settings.ts')).daemonSettings(own).options.statusSocket,
}

/**
 * Where the agent of this host is asked: as the command was told, else as the daemon's variable says, else at the usual place, and only
 * where nothing is there, where the daemon's process or unit says: to find that out takes longer than most commands.
 */
export async function agentSocket(given: string | undefined, own: Layer, ports = HOST): Promise<string> {
  const variable = own.environment['FLANNELD_STATUS_SOCKET'] ?? ''
  const said = given ?? (variable === 'none' ? '' : variable)
  if (said !== '') return said
  if (ports.isThere(DEFAULT_SOCKET)) return DEFAULT_SOCKET
  try {
    return (await ports.told(own)) ?? DEFAULT_SOCKET
  } catch (error) {
    if (error instanceof ConfigError) return DEFAULT_SOCKET
    throw error
  }
}
