import { tendDevice, type Mending, type TendedDevice } from '../../src/backend/device/tend-device.ts'
import type { VxlanDeviceSpec } from '../../src/backend/vxlan/device-spec.ts'
import { vxlanDevice } from '../../src/backend/vxlan/vxlan-device.ts'
import type { Kernel, LinkState } from '../../src/kernel/kernel.ts'

const MEND_ALL: Mending = { due: (found) => found, mended: () => undefined }

export interface EnsuredDevice extends TendedDevice {
  readonly link: LinkState
}

/** Brings the device about, whatever is to be done. @throws as {@link tendDevice} */
export async function ensureDevice(kernel: Kernel, spec: VxlanDeviceSpec, signal: AbortSignal): Promise<EnsuredDevice> {
  const tended = await tendDevice({ kernel, spec, kind: vxlanDevice(kernel, spec), mending: MEND_ALL }, signal)
  if (tended.link === undefined) throw new TypeError('a missing device is always due')
  return { ...tended, link: tended.link }
}
