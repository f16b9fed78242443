import type { BackendConfig } from '../../config/backend.ts'
import { configuredAlloc } from '../alloc/backend.ts'
import type { ConfiguredBackend } from '../backend.ts'
import { configuredHostGw } from '../hostgw/backend.ts'
import { configuredUdp } from '../udp/backend.ts'
import { configuredVxlan } from '../vxlan/configured.ts'

/** The backend that a configuration asks for. */
export function chooseBackend(config: BackendConfig): ConfiguredBackend {
  switch (config.type) {
    case 'vxlan':
      return configuredVxlan(config)
    case 'host-gw':
      return configuredHostGw
    case 'udp':
      return configuredUdp(config)
    case 'alloc':
      return configuredAlloc
  }
}
