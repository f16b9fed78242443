import { backendFacts } from '../config/backend.ts'
import { FAMILIES, parseNetworkConfig } from '../config/network.ts'
import { givenFields } from '../config/remarks.ts'

/** One field of a configuration, as it is in force. */
export interface ConfigFact {
  /** `Backend.VNI`. */
  readonly path: string
  readonly value: string | number | boolean
  /** It is not given, and has the value that it has by itself. */
  readonly isDefault: boolean
}

/**
 * What a configuration means, field by field.
 * @throws {ConfigError} for a text that is none
 */
export function configFacts(text: string): readonly ConfigFact[] {
  const { overlays, enableNftables, backend } = parseNetworkConfig(text)
  const given = new Set(givenFields(text))
  const of = (path: string, value: ConfigFact['value']): ConfigFact => ({ path, value, isDefault: !given.has(path) })
  const families = FAMILIES.flatMap((names) => {
    const overlay = overlays.find(({ family }) => family === names.family)
    const enabled = of(names.enable, overlay !== undefined)
    if (overlay === undefined) return [enabled]
    const { network, subnetLength, subnetMin, subnetMax } = overlay
    return [
      ...[enabled, of(names.network, network.text), of(names.subnetLen, subnetLength)],
      ...[of(names.subnetMin, subnetMin.text), of(names.subnetMax, subnetMax.text)],
    ]
  })
  const ofBackend = backendFacts(backend).map(({ path, value }) => of(path, value ?? "that of each host's interface"))
  return [...families, of('EnableNFTables', enableNftables), ...ofBackend]
}
