import { isIP } from 'node:net'
import { isObject, type JsonObject } from '../config/json.ts'

/**
 * The result of ADD, for CHECK: every route names its gateway. A route without one goes by the gateway of the container's address,
 * but bridge and ptp of the reference plugins (1.1.1) do not find such a route when they look for it, and call the container broken.
 */
export function withGateways(result: JsonObject): JsonObject {
  const { ips, routes } = result
  if (!Array.isArray(ips) || !Array.isArray(routes)) return result
  const gateways = ips.flatMap((row: unknown) => (isObject(row) ? [row['gateway']] : []))
  return { ...result, routes: routes.map((route: unknown) => withGateway(route, gateways)) }
}

function withGateway(route: unknown, gateways: readonly unknown[]): unknown {
  if (!isObject(route) || typeof route['dst'] !== 'string' || (route['gw'] ?? '') !== '') return route
  const family = isIP(route['dst'].split('/', 1)[0] ?? '')
  const gw = gateways.find((gateway) => typeof gateway === 'string' && family !== 0 && isIP(gateway) === family)
  return gw === undefined ? route : { ...route, gw }
}
