import type { KernelOp, LinkState, RouteState } from '../../kernel/kernel.ts'

/** @returns undefined for a kind of route that we never make */
export function routeDeletion({
  type,
  linkIndex,
  destination,
  gateway,
  metric,
  protocol,
}: RouteState): KernelOp | undefined {
  const route = { op: 'route.delete', destination, metric, protocol } as const
  if (type === 'blackhole') return { ...route, type: 'blackhole' }
  return type === 'unicast' && linkIndex !== undefined ? { ...route, type: 'unicast', linkIndex, gateway } : undefined
}

/** In words, as `ip route` would have it. */
export function describeRoute(
  { type, destination, gateway, metric, linkIndex }: RouteState,
  links: readonly LinkState[],
): string {
  const link = links.find(({ index }) => index === linkIndex)
  const way = [
    ...(gateway === undefined ? [] : [` via ${gateway.text}`]),
    ...(type === 'blackhole' || link === undefined ? [] : [` dev ${link.name}`]),
    ...(metric === 0 ? [] : [` metric ${metric}`]),
  ]
  return `${type === 'blackhole' ? 'blackhole route' : 'route'} ${destination.text}${way.join('')}`
}
