import type { BackendConfig, VxlanConfig } from './backend.ts'
import { FAMILIES, type FamilyFields, type NetworkConfig, type OverlayNetwork } from './network.ts'

/** A field that says something else than what is in force. */
export interface FieldChange {
  /** JSON path, such as `Backend.VNI`. */
  readonly path: string
  readonly from: string
  readonly to: string
}

/** What becomes of a new configuration while the agent runs. */
export interface ConfigComparison {
  /** What is in force from now on: the one before, with what was followed. */
  readonly applied: NetworkConfig
  readonly followed: readonly FieldChange[]
  /** What waits for the next start. */
  readonly refused: readonly FieldChange[]
}

/** One field: its name for people, its value, and, where a running agent can follow it, how. */
interface Field<T> {
  readonly path: string
  readonly valueOf: (config: T) => string | number | boolean | undefined
  readonly follow?: (current: T, next: T) => T
}

/** Every field has to be named: one that is added later does not compile until somebody has decided. */
type Fields<T, K extends keyof T = keyof T> = Readonly<Record<K, Field<T>>>

const VXLAN: Fields<VxlanConfig> = {
  type: { path: 'Backend.Type', valueOf: ({ type }) => type },
  vni: { path: 'Backend.VNI', valueOf: ({ vni }) => vni },
  port: { path: 'Backend.Port', valueOf: ({ port }) => port },
  gbp: { path: 'Backend.GBP', valueOf: ({ gbp }) => gbp },
  learning: { path: 'Backend.Learning', valueOf: ({ learning }) => learning },
  directRouting: {
    path: 'Backend.DirectRouting',
    valueOf: ({ directRouting }) => directRouting,
    follow: (current, { directRouting }) => ({ ...current, directRouting }),
  },
  underlayMtu: {
    path: 'Backend.MTU',
    valueOf: ({ underlayMtu }) => underlayMtu,
    follow: (current, { underlayMtu }) => ({ ...current, underlayMtu }),
  },
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

/** What comparing a part came to. */
interface FieldComparison<T> {
  readonly value: T
  readonly followed: readonly FieldChange[]
  readonly refused: readonly FieldChange[]
}

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

/** The other backends have no settings. */
function compareBackend(current: BackendConfig, next: BackendConfig): FieldComparison<BackendConfig> {
  if (current.type === 'vxlan' && next.type === 'vxlan') return compareFields(Object.values(VXLAN), current, next)
  const refused = current.type === next.type ? [] : [{ path: 'Backend.Type', from: current.type, to: next.type }]
  return { value: current, followed: [], refused }
}

function compareFields<T>(fields: readonly Field<T>[], current: T, next: T): FieldComparison<T> {
  let value = current
  const [followed, refused]: [FieldChange[], FieldChange[]] = [[], []]
  for (const { path, valueOf, follow } of fields) {
    const [from, to] = [valueOf(current), valueOf(next)]
    if (from === to) continue
    const list = follow === undefined ? refused : followed
    list.push({ path, from: shown(from), to: shown(to) })
    if (follow !== undefined) value = follow(value, next)
  }
  return { value, followed, refused }
}

const shown = (value: string | number | boolean | undefined): string => (value === undefined ? 'unset' : String(value))
