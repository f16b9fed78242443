import { compareBackend } from './backend.ts'
import { compareFields, type FieldChange, type FieldComparison, type Fields } from './field.ts'
import { FAMILIES, type FamilyFields, type NetworkConfig, type OverlayNetwork } from './network.ts'

/** What becomes of a new configuration while the agent runs. */
export interface ConfigComparison {
  /** What is in force from now on: the one before, with what was followed. */
  readonly applied: NetworkConfig
  readonly followed: readonly FieldChange[]
  /** What waits for the next start. */
  readonly refused: readonly FieldChange[]
}

const FIREWALL: Fields<NetworkConfig, 'enableNftables'> = {
  enableNftables: {
    path: 'EnableNFTables',
    valueOf: ({ enableNftables }) => enableNftables,
    follow: (current, { enableNftables }) => ({ ...current, enableNftables }),
  },
}

/** Every lease hangs on these. */
const cutOf = (names: FamilyFields): Fields<OverlayNetwork, 'network' | 'subnetLength'> => ({
  network: { path: names.network, valueOf: ({ network }) => network.text },
  subnetLength: { path: names.subnetLen, valueOf: ({ subnetLength }) => subnetLength },
})

/** These matter when a subnet is chosen; one that is held is kept. */
const boundsOf = (
  names: FamilyFields,
): Fields<OverlayNetwork, Exclude<keyof OverlayNetwork, 'family' | keyof ReturnType<typeof cutOf>>> => ({
  subnetMin: {
    path: names.subnetMin,
    valueOf: ({ subnetMin }) => subnetMin.text,
    follow: (current, { subnetMin }) => ({ ...current, subnetMin }),
  },
  subnetMax: {
    path: names.subnetMax,
    valueOf: ({ subnetMax }) => subnetMax.text,
    follow: (current, { subnetMax }) => ({ ...current, subnetMax }),
  },
})

/**
 * Takes from a new configuration what a running agent can follow, and names what it cannot. Pure.
 * @param current what is in force
 */
export function compareConfig(current: NetworkConfig, next: NetworkConfig): ConfigComparison {
  const overlays = FAMILIES.map((names) => compareOverlay(names, current.overlays, next.overlays))
  const backend = compareBackend(current.backend, next.backend)
  const firewall = compareFields(Object.values(FIREWALL), current, next)
  const parts = [...overlays, backend, firewall]
  return {
    applied: {
      overlays: overlays.flatMap(({ value }) => value ?? []),
      enableNftables: firewall.value.enableNftables,
      backend: backend.value,
    },
    followed: parts.flatMap(({ followed }) => followed),
    refused: parts.flatMap(({ refused }) => refused),
  }
}

function compareOverlay(
  names: FamilyFields,
  current: readonly OverlayNetwork[],
  next: readonly OverlayNetwork[],
): FieldComparison<OverlayNetwork | undefined> {
  const [before, after] = [current, next].map((overlays) => overlays.find(({ family }) => family === names.family))
  if (before === undefined || after === undefined) {
    const [from, to] = [before !== undefined, after !== undefined].map(String)
    const isSame = from === to || from === undefined || to === undefined
    return { value: before, followed: [], refused: isSame ? [] : [{ path: names.enable, from, to }] }
  }
  const cut = compareFields(Object.values(cutOf(names)), before, after)
  // bounds mean something only in the network, and at the size, that they were written for
  return cut.refused.length > 0 ? cut : compareFields(Object.values(boundsOf(names)), before, after)
}
