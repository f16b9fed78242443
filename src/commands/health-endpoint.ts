import { hostname } from 'node:os'
import type { Conditions } from '../agent/runtime/conditions.ts'
import type { DaemonOptions } from '../config/options.ts'
import type { Routes } from '../http/answer.ts'
import type { Health, HealthServer } from '../observe/health-server.ts'

const HEALTH_ENDPOINT = 'health endpoint'

/**
 * Serves probes, and reports whether it can. node:http is loaded where somebody wants to ask.
 * @param routes what else is answered there
 * @param retryMs between attempts to listen, in milliseconds; the server's own where not given
 */
export async function serveHealth(
  { ip, port }: NonNullable<DaemonOptions['healthz']>,
  health: Health,
  conditions: Pick<Conditions, 'fails' | 'holds'>,
  retryMs?: number,
  routes?: Routes,
): Promise<HealthServer> {
  const { HealthServer } = await import('../observe/health-server.ts')
  return new HealthServer({
    ip: ip.text,
    port,
    health,
    ...(routes !== undefined && { routes, ownNames: ownNames() }),
    ...(retryMs !== undefined && { retryMs }),
    onListening: () => {
      conditions.holds(HEALTH_ENDPOINT)
    },
    onFailure: (reason) => {
      conditions.fails(HEALTH_ENDPOINT, reason, 'none', {
        says: `health endpoint: ${reason}; trying again, the agent goes on`,
        level: 'error',
        repeats: false,
        isOfSession: false,
      })
    },
  })
}

/** With and without a domain, in lower case. */
function ownNames(): ReadonlySet<string> {
  const name = hostname().toLowerCase()
  return new Set([name, name.split('.')[0] ?? name])
}
