import { DOCTOR_FLAGS } from '../../cli/specs/doctor.ts'
import { ConfigError } from '../../config/error.ts'
import type { View } from '../../doctor/view.ts'
import type { PeerRecord } from '../../lease/lease.ts'
import { AgentAnswerError } from '../../status/client/errors.ts'
import { findInStore } from '../../trace/find.ts'
import type { Asking } from '../asking/asking.ts'

/**
 * Sees to it that `--peer`, where it is given, says something. An empty word, as of a variable that is not set, would mean no peer at all.
 * @throws {ConfigError}
 */
export function requireWord(given: Asking['own']['given']): void {
  const { name } = DOCTOR_FLAGS.peer
  const word = given.get(name)?.at(-1)
  if (word?.trim() === '') throw new ConfigError(`--${name}`, 'a name, an address or a subnet', word)
}

/**
 * Sees to it that what `--peer` says stands for somebody: a peer that can be asked, or a lease, as of a node that this one rejects.
 * @param leases undefined: they cannot be read, which is something to be found, and leaves open who is meant
 * @throws {AgentAnswerError} where nobody is
 */
export async function requireNamed(
  { about, suspects }: Pick<View, 'about' | 'suspects'>,
  leases: () => Promise<readonly PeerRecord[] | undefined>,
): Promise<void> {
  if (about === undefined || (await hasAny(suspects))) return
  const records = await leases()
  if (records === undefined || findInStore(records, about, 'the store').length > 0) return
  throw new AgentAnswerError(
    `no peer or lease has the name, address or subnet ${about}: flanneld peers and flanneld leases list all`,
  )
}

/** HTTP's "Not Found": the agent knows nobody of that name. */
const NOBODY = 404

async function hasAny(suspects: View['suspects']): Promise<boolean> {
  try {
    return (await suspects()).length > 0
  } catch (error) {
    if (error instanceof AgentAnswerError && error.status === NOBODY) return false
    return true // whoever looks into it says why it cannot be asked
  }
}
