import { tendDevice, type DeviceSpec, type Mending, type TendedDevice } from '../../src/backend/vxlan/tend-device.ts'
import type { Kernel, LinkState } from '../../src/kernel/kernel.ts'

const MEND_ALL: Mending = { due: (found) => found, mended: () => undefined }

export interface EnsuredDevice extends TendedDevice {
  readonly link: LinkState
}

/** Brings the device about, whatever is to be done. @throws as {@link tendDevice} */
export async function ensureDevice(kernel: Kernel, spec: DeviceSpec, signal: AbortSignal): Promise<EnsuredDevice> {
  const tended = await tendDevice(kernel, spec, MEND_ALL, signal)
  if (tended.link === undefined) throw new TypeError('a missing device is always due')
  return { ...tended, link: tended.link }
}
