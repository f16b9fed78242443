import type { Kernel, KernelOp, LinkState } from '../../kernel/kernel.ts'
import { DeviceConflictError, explainRefusal, findRenamed, formerOnPort, refuseOtherKind } from './conflict.ts'
import { foreignBeforeOurs } from './device-addresses.ts'
import { deviationsOf, type DeviceSpec, type Deviation } from './deviation.ts'

export type { DeviceSpec } from './deviation.ts'

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

/**
 * Brings the device about as far as `mending` says: reads what is there, does what is missing, and reads again until nothing is due.
 * @throws {DeviceConflictError} when a device of our name is not a vxlan, or something else has our VNI and port
 * @throws {KernelError} when the kernel refuses
 * @throws whatever `beforeAddress` does
 */
export async function tendDevice(
  kernel: Kernel,
  spec: DeviceSpec,
  mending: Mending,
  signal: AbortSignal,
): Promise<TendedDevice> {
  const mended: Deviation[] = []
  const removed: string[] = []
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const link = await kernel.link(spec.name, signal)
    refuseOtherKind(link, spec.name)
    const renamed = link === undefined ? await findRenamed(kernel, spec, signal) : undefined
    const addresses = renamed ? [] : await kernel.addresses(signal)
    const found = renamed ? [renaming(renamed)] : deviationsOf(spec, link, addresses)
    const due = mending.due(found)
    const foreign = link === undefined ? [] : foreignBeforeOurs(spec, link, addresses)
    if (due.length === 0) return { link, outcome: outcomeOf(mended), mended, postponed: found, removed, foreign }
    const former = await mend({ kernel, spec, mending, signal }, link ?? renamed, due)
    if (former !== undefined) removed.push(former)
    mending.mended(due)
    mended.push(...due)
  }
  throw new DeviceConflictError(`${spec.name} does not stay as configured: something else keeps changing it`)
}

/** Making it anew is simpler than renaming it, which older kernels refuse while it is up, and its entries come back as fast. */
const renaming = ({ name }: LinkState): Deviation => ({ property: 'name', found: `renamed to ${name}`, ops: undefined })

function outcomeOf(mended: readonly Deviation[]): DeviceOutcome {
  const made = mended.filter(({ ops }) => ops === undefined)
  if (made.length === 0) return mended.length === 0 ? 'unchanged' : 'adopted'
  return made.length === 1 && made[0]?.property === 'existence' ? 'created' : 'recreated'
}

interface Tending {
  readonly kernel: Kernel
  readonly spec: DeviceSpec
  readonly mending: Mending
  readonly signal: AbortSignal
}

/** @returns the name of the device that was in the way of that, and removed instead: what is due still is, at the next look */
async function mend(
  tending: Tending,
  link: LinkState | undefined,
  due: readonly Deviation[],
): Promise<string | undefined> {
  const { kernel, spec, mending, signal } = tending
  try {
    if (due.some(({ ops }) => ops === undefined)) {
      await recreate(tending, link)
      return undefined
    }
    if (due.some(({ property }) => property === 'address')) await mending.beforeAddress?.()
    await applyAll(kernel, allOps(due), signal)
    return undefined
  } catch (error) {
    const former = await formerOnPort(error, kernel, spec, signal)
    if (former === undefined) throw await explainRefusal(error, kernel, spec, signal)
    await applyAll(kernel, [{ op: 'link.delete', linkIndex: former.index }], signal)
    return former.name
  }
}

const allOps = (deviations: readonly Deviation[]): readonly KernelOp[] => deviations.flatMap(({ ops }) => ops ?? [])

/** Makes the device whole: with its address before it is up, and without a link-local one. */
async function recreate({ kernel, spec, mending, signal }: Tending, old: LinkState | undefined): Promise<void> {
  if (old !== undefined) await applyAll(kernel, [{ op: 'link.delete', linkIndex: old.index }], signal)
  await applyAll(kernel, [{ op: 'link.create', spec }], signal)
  const made = await kernel.link(spec.name, signal)
  if (made === undefined) return
  await mending.beforeAddress?.()
  const unaddressed: KernelOp = { op: 'link.set', linkIndex: made.index, addressGeneration: 'none' }
  await applyAll(kernel, [unaddressed, ...allOps(deviationsOf(spec, made, []))], signal)
}

async function applyAll(kernel: Kernel, ops: readonly KernelOp[], signal: AbortSignal): Promise<void> {
  for (const result of await kernel.apply(ops, signal)) if (!result.ok) throw result.error
}
