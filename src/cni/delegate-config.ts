import type { Prefix } from '../net/prefix.ts'
import type { JsonObject } from '../config/json.ts'
import type { FlannelNetConf } from './netconf.ts'
import type { Overlay } from './overlay.ts'

/** The complete configuration of a delegate. */
export type DelegateConfig = JsonObject & { readonly type: string }

const DEFAULT_TYPE = 'bridge'
const DEFAULT_IPAM = 'host-local'

/**
 * What the delegate is configured with: the operator's own wishes, completed by what the agent says of the overlay. The fields and
 * their defaults are upstream's.
 */
export function delegateConfig(netConf: FlannelNetConf, overlay: Overlay): DelegateConfig {
  const { name, cniVersion, delegate, runtimeConfig } = netConf
  const type = typeof delegate['type'] === 'string' ? delegate['type'] : DEFAULT_TYPE
  return {
    // One of the two masquerades what leaves the overlay.
    ipMasq: !overlay.ipMasq,
    mtu: overlay.mtu,
    ...(type === DEFAULT_TYPE ? { isGateway: true } : {}),
    ...delegate,
    ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
    ...(cniVersion === '' ? {} : { cniVersion }),
    name,
    type,
    ipam: ipamConfig(netConf.ipam, overlay),
  }
}

function ipamConfig(ipam: JsonObject, { subnets, networks }: Overlay): JsonObject {
  const { routes } = ipam
  return {
    type: DEFAULT_IPAM,
    ...ipam,
    ranges: subnets.map((subnet) => [{ subnet: subnet.text }]),
    routes: [...(Array.isArray(routes) ? routes.map((route: unknown) => route) : []), ...networks.map(routeTo)],
  }
}

const routeTo = (network: Prefix): JsonObject => ({ dst: network.text })
