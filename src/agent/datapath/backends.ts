import type { Backend, ConfiguredBackend } from '../../backend/backend.ts'
import type { OverlayNetwork } from '../../config/network.ts'
import { leaseFamily, type Lease } from '../../lease/lease.ts'

/**
 * The backend of each family, as our lease describes us.
 * @throws {TypeError} when the lease lacks a family, {ConfigError} when it says what we never publish
 */
export const backendsOf = (
  configured: ConfiguredBackend,
  overlays: readonly OverlayNetwork[],
  lease: Lease,
): readonly Backend[] =>
  overlays.map((overlay) => {
    const part = leaseFamily(lease, overlay.family)
    if (part === undefined) throw new TypeError(`the lease has no subnet of ${overlay.network.text}`)
    return configured.begin({ overlay, subnet: part.subnet }, part)
  })
