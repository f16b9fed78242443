import { loadAddon } from './load.ts'

/**
 * Ends the process at once. `process.exit` first waits for a name lookup (getaddrinfo) that may hang for many seconds where the name
 * server does not answer, as when the network is what has gone.
 */
export function exitAtOnce(code: number): never {
  try {
    loadAddon().exit(code)
  } finally {
    process.exit(code) // without an addon there was nothing that could have hung for long
  }
}
