import type { Kernel, KernelOp, LinkState } from '../../kernel/kernel.ts'
import { foreignBeforeOurs } from './device-addresses.ts'
import { deviationsOf, type DeviceSpec, type Deviation } from './deviation.ts'
import { DeviceConflictError, type DeviceKind } from './kind.ts'

/** What was done to bring the device about, for the log. */
export type DeviceOutcome = 'created' | 'recreated' | 'adopted' | 'unchanged'

export interface TendedDevice {
  /** Undefined while its making is put off. */
  readonly link: LinkState | undefined
  readonly outcome: DeviceOutcome
  readonly mended: readonly Deviation[]
  /** Left as they are for now. */
  readonly postponed: readonly Deviation[]
  /** Addresses of others on it that the kernel may take for packets of the host instead of ours. */
  readonly foreign: readonly string[]
  /** Names of devices of a former configuration that were in the way, and were removed. */
  readonly removed: readonly string[]
}

/** Decides which deviations to mend now. */
export interface Mending {
  /** All there are at the moment. @returns those to mend */
  due(found: readonly Deviation[]): readonly Deviation[]
  mended(done: readonly Deviation[]): void
  /** Called when there is a device, before it is given an address. Rejects with what is in the way. */
  beforeAddress?(): Promise<void>
}

/** Creation, deletion and mending can each need one look; more rounds mean that somebody works against us. */
const MOST_ROUNDS = 6

/** The device that is tended, and how far. */
export interface Tending {
  readonly kernel: Kernel
  readonly spec: DeviceSpec
  readonly kind: DeviceKind
  readonly mending: Mending
}

/**
 * Brings the device about as far as `mending` says: reads what is there, does what is missing, and reads again until nothing is due.
 * @throws {DeviceConflictError} when something else has the place of ours
 * @throws {KernelError} when the kernel refuses
 * @throws whatever `beforeAddress` does
 */
export async function tendDevice(tending: Tending, signal: AbortSignal): Promise<TendedDevice> {
  const { kernel, spec, kind, mending } = tending
  const mended: Deviation[] = []
  const removed: string[] = []
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const link = await kind.find(signal)
    const renamed = link === undefined ? await kind.findRenamed(signal) : undefined
    const addresses = renamed ? [] : await kernel.addresses(signal)
    const obstacle = link && kind.incompatibility(link)
    const found = renamed ? [renaming(renamed)] : deviationsOf(spec, link, addresses, obstacle)
    const due = mending.due(found)
    const foreign = link === undefined ? [] : foreignBeforeOurs(spec, link, addresses)
    if (due.length === 0) return { link, outcome: outcomeOf(mended), mended, postponed: found, removed, foreign }
    const former = await mend(tending, link ?? renamed, due, signal)
    if (former !== undefined) removed.push(former)
    mending.mended(due)
    mended.push(...due)
  }
  const last = mended.at(-1)?.found ?? ''
  throw new DeviceConflictError(`${spec.name} does not stay as configured: something else keeps changing it (${last})`)
}

/** Making it anew is simpler than renaming it, which older kernels refuse while it is up, and its entries come back as fast. */
const renaming = ({ name }: LinkState): Deviation => ({ property: 'name', found: `renamed to ${name}`, ops: undefined })

function outcomeOf(mended: readonly Deviation[]): DeviceOutcome {
  const made = mended.filter(({ ops }) => ops === undefined)
  if (made.length === 0) return mended.length === 0 ? 'unchanged' : 'adopted'
  return made.length === 1 && made[0]?.property === 'existence' ? 'created' : 'recreated'
}

/** @returns the name of the device that was in the way of that, and removed instead: what is due still is, at the next look */
async function mend(
  tending: Tending,
  link: LinkState | undefined,
  due: readonly Deviation[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const { kernel, kind, mending } = tending
  try {
    if (due.some(({ ops }) => ops === undefined)) {
      await recreate(tending, link, signal)
      return undefined
    }
    if (due.some(({ property }) => property === 'address')) await mending.beforeAddress?.()
    await applyAll(kernel, allOps(due), signal)
    return undefined
  } catch (error) {
    const former = await kind.former(error, signal)
    if (former === undefined) throw await kind.explain(error, signal)
    await applyAll(kernel, [{ op: 'link.delete', linkIndex: former.index }], signal)
    return former.name
  }
}

const allOps = (deviations: readonly Deviation[]): readonly KernelOp[] => deviations.flatMap(({ ops }) => ops ?? [])

/** Makes the device whole: with its address before it is up, and without a link-local one. */
async function recreate(
  { kernel, spec, kind, mending }: Tending,
  old: LinkState | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (old !== undefined) await kind.remove(old, signal)
  await kind.make(signal)
  const made = await kind.find(signal)
  if (made === undefined) return
  await mending.beforeAddress?.()
  const unaddressed: KernelOp = { op: 'link.set', linkIndex: made.index, addressGeneration: 'none' }
  await applyAll(kernel, [unaddressed, ...allOps(deviationsOf(spec, made, [], undefined))], signal)
}

/** @throws {KernelError} the first refusal */
export async function applyAll(kernel: Kernel, ops: readonly KernelOp[], signal: AbortSignal): Promise<void> {
  for (const result of await kernel.apply(ops, signal)) if (!result.ok) throw result.error
}
