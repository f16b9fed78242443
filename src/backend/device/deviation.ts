import type { Ip } from '../../net/ip.ts'
import type { Mac } from '../../net/mac.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { Postponed } from '../device-keeper.ts'
import { addressDeviations } from './device-addresses.ts'
import type { AddressState, KernelOp, LinkState } from '../../kernel/kernel.ts'

/** A device of ours as it should be, whatever its kind. */
export interface DeviceSpec {
  readonly name: string
  /** Absent: it has none, as one that carries packets and not frames. */
  readonly mac?: Mac
  /** In octets. */
  readonly mtu: number
  readonly alias: string
  /** Address on the device, as a host prefix (/32, /128). */
  readonly address: Ip
  /** The overlay; other addresses of it on the device do not belong there and go. */
  readonly network: Prefix
  /** What its address was in earlier runs, as far as that is known. */
  readonly formerAddresses: readonly Ip[]
}

/** What about a device can be other than it should; each is mended, and damped, by itself. */
export type DeviceProperty =
  | 'existence'
  | 'name'
  | 'parameters'
  | 'master'
  | 'mac'
  | 'mtu'
  | 'alias'
  | 'address'
  | 'precedence of the address'
  | 'surplus address'
  | 'state'

/** One property of the device that is not as it should be. */
export interface Deviation {
  readonly property: DeviceProperty
  /** What was found, for people: `mtu 1280, expected 1450`. */
  readonly found: string
  /** What mends it in place; undefined where only a new device helps. */
  readonly ops: readonly KernelOp[] | undefined
}

/** Without these, what containers send is carried all the same. */
const LESSER: ReadonlySet<DeviceProperty> = new Set(['mtu', 'alias', 'precedence of the address', 'surplus address'])

/** What was found, each once, however often it was. */
export const listed = (deviations: readonly Deviation[]): string =>
  [...new Set(deviations.map(({ found }) => found))].join('; ')

export const summaryOf = (deviations: readonly Deviation[]): Postponed => ({
  found: listed(deviations),
  carries: deviations.every(({ property }) => LESSER.has(property)),
})

/**
 * What each property depends on, as text: where that changes, the device is to follow, and nobody has meddled with it.
 * @param parameters all that is fixed when the device is made
 */
export function expectationsOf(spec: DeviceSpec, parameters: string): ReadonlyMap<DeviceProperty, string> {
  return new Map<DeviceProperty, string>([
    ['existence', parameters],
    ['parameters', parameters],
    ['mac', spec.mac ?? ''],
    ['mtu', String(spec.mtu)],
    ['alias', spec.alias],
    ['address', spec.address.text],
  ])
}

/**
 * Everything about the device that differs from the specification, in the order to mend it. Empty: nothing to do.
 * @param obstacle why the device that is there cannot be kept, whatever is set on it; undefined where it can
 */
export function deviationsOf(
  spec: DeviceSpec,
  link: LinkState | undefined,
  addresses: readonly AddressState[],
  obstacle: string | undefined,
): readonly Deviation[] {
  if (link === undefined) return [{ property: 'existence', found: 'deleted', ops: undefined }]
  if (obstacle !== undefined) return [{ property: 'parameters', found: obstacle, ops: undefined }]
  return [...settingDeviations(spec, link), ...addressDeviations(spec, link, addresses), ...stateDeviations(link)]
}

function settingDeviations(spec: DeviceSpec, { index, master, ...link }: LinkState): readonly Deviation[] {
  const set = { op: 'link.set', linkIndex: index } as const
  const setting = (property: 'mac' | 'mtu' | 'alias', op: KernelOp): readonly Deviation[] =>
    link[property] === spec[property]
      ? []
      : [{ property, found: `${property} ${link[property] ?? 'unset'}, expected ${spec[property] ?? ''}`, ops: [op] }]
  return [
    ...(master === undefined
      ? []
      : [{ property: 'master', found: `enslaved to link ${master}`, ops: [{ ...set, master: 0 }] } as const]),
    ...(spec.mac === undefined ? [] : setting('mac', { ...set, mac: spec.mac })),
    ...setting('mtu', { ...set, mtu: spec.mtu }),
    ...setting('alias', { ...set, alias: spec.alias }),
  ]
}

const stateDeviations = ({ index, up }: LinkState): readonly Deviation[] =>
  up ? [] : [{ property: 'state', found: 'set down', ops: [{ op: 'link.set', linkIndex: index, up: true }] }]
