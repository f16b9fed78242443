import type { Clock } from '../time/clock.ts'
import type { Check, Finding } from './finding.ts'
import type { View } from './view.ts'

/** A check that takes longer than this is given up, in milliseconds. */
export const CHECK_DEADLINE_MS = 8_000

/** What nobody knows now. */
export interface NotLookedInto {
  readonly what: string
  readonly why: string
}

export interface Examination {
  /** As the checks have found them. */
  readonly found: readonly Finding[]
  readonly notLookedInto: readonly NotLookedInto[]
}

export interface ExamineOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Told of each check that has ended. */
  readonly onProgress?: (done: number, of: number, name: string) => void
}

/**
 * Looks into everything, side by side. A check that fails or takes too long is told as such, and takes none of the others with it.
 * @throws the signal's reason when `signal` aborts
 */
export async function examine(
  checks: readonly Check<View>[],
  view: View,
  { clock, signal, onProgress }: ExamineOptions,
): Promise<Examination> {
  let done = 0
  const looks = checks.map(async (check) => {
    const look = await lookOnce(check, view, { clock, signal })
    onProgress?.(++done, checks.length, check.name)
    return look
  })
  const all = await Promise.all(looks)
  signal.throwIfAborted()
  return { found: all.flatMap(({ found }) => found), notLookedInto: all.flatMap(({ notLookedInto }) => notLookedInto) }
}

async function lookOnce(
  check: Check<View>,
  view: View,
  { clock, signal }: Pick<ExamineOptions, 'clock' | 'signal'>,
): Promise<Examination> {
  const end = new AbortController()
  const own = AbortSignal.any([signal, end.signal])
  const nothing = (why: string): Examination => ({ found: [], notLookedInto: [{ what: check.name, why }] })
  const look = Promise.resolve()
    .then(() => check.look(view, own))
    .then(
      (found): Examination => ({ found, notLookedInto: [] }),
      (error: unknown) => nothing(error instanceof Error ? error.message : String(error)),
    )
  const late = clock
    .sleep(CHECK_DEADLINE_MS, own)
    .then(() => nothing(`it took longer than ${CHECK_DEADLINE_MS / 1_000} s`))
  try {
    return await Promise.race([look, late])
  } finally {
    end.abort()
  }
}
