import type { VxlanConfig } from '../../config/backend.ts'
import { deviceName } from '../../kernel/marks.ts'
import { isUnicastMac, type Mac } from '../../net/mac.ts'
import type { ConfiguredBackend, Publisher, PublisherInput } from '../backend.ts'
import { backendDataField, decodeVtepData, encodeVtepData, publishedMac } from './backend-data.ts'
import { vxlanBackend } from './backend.ts'
import { deviceIdentity } from './device-spec.ts'
import { incompatibility } from './vxlan-device.ts'
import { BACKEND_TYPE } from './peer-entries.ts'

/** The vxlan backend with its settings. */
export const configuredVxlan = (config: VxlanConfig): ConfiguredBackend => {
  const { vni, port } = config
  return {
    leaseType: BACKEND_TYPE,
    programsKernel: true,
    deviceName: (family) => deviceName(family, vni),
    logFields: { vni, port },
    port,
    guarded: { vni, port },
    findPublisher: (input, signal) => findPublisher(config, input, signal),
    begin: (own, { family, backendData }) => {
      const { mac } = decodeVtepData(backendData, backendDataField(family))
      return vxlanBackend({ vtep: { ...own, family, vni, mac }, config })
    },
  }
}

/**
 * The VTEP MAC must not change without need, since every peer holds it: that in our lease, else that of a compatible device of an
 * earlier run, else one derived from the node's identity. What peers hold counts first: a device that says otherwise was changed
 * while nobody looked.
 */
async function findPublisher(config: VxlanConfig, input: PublisherInput, signal: AbortSignal): Promise<Publisher> {
  const { family, deriveMac, isCopy } = input
  const ofDevice = await deviceMac(config, input, signal)
  const macFor = (current: Parameters<Publisher['publish']>[0]): Mac =>
    publishedMac(family, current) ?? (isCopy ? undefined : ofDevice) ?? deriveMac(config.vni)
  return {
    publish: (current) => encodeVtepData(config.vni, macFor(current)),
    carries: (lease) => ofDevice !== undefined && publishedMac(family, lease) === ofDevice,
  }
}

/** MAC of a device that is there and can be kept. @throws {KernelError} */
async function deviceMac(
  config: VxlanConfig,
  { kernel, family, underlay }: PublisherInput,
  signal: AbortSignal,
): Promise<Mac | undefined> {
  const link = await kernel.link(deviceName(family, config.vni), signal)
  if (link?.mac === undefined || !isUnicastMac(link.mac)) return undefined
  return incompatibility(link, deviceIdentity(family, config, underlay)) === undefined ? link.mac : undefined
}
