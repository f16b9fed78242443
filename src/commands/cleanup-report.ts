import type { CleanupReport } from '../cleanup/clean-up.ts'
import type { DecommissionReport } from '../cleanup/decommission.ts'
import { EXIT } from '../cli/exit-codes.ts'

/** How `flanneld cleanup` says what came of it. */
export interface CleanupWords {
  /** For standard output: what was done, and what was left alone, a line each. */
  readonly text: string
  /** For standard error, each by itself. */
  readonly complaints: readonly string[]
  readonly code: typeof EXIT.done | typeof EXIT.failed
}

/** @param released is there only where leases were to be given back */
export function wordsFor(
  {
    removed,
    kept,
    failures,
    released = [],
  }: Omit<CleanupReport, 'carries'> & Partial<Pick<DecommissionReport, 'released'>>,
  dryRun: boolean,
): CleanupWords {
  const lines = [
    ...removed.map((thing) => `${dryRun ? 'would remove' : 'removed'} ${thing}`),
    ...released.map((lease) => `${dryRun ? 'would release' : 'released'} ${lease}`),
    ...kept.map((thing) => `left alone ${thing}`),
  ]
  return {
    text: lines.map((line) => `${line}\n`).join(''),
    complaints: failures.map((failure) => `failed: ${failure}`),
    code: failures.length === 0 ? EXIT.done : EXIT.failed,
  }
}
