import type { PendingRow } from './pending-row.ts'
import type { Finding } from './table.ts'

/** What others have done to our rows since it was last told. */
export interface DriftReport {
  /** Rows that somebody else had changed, and one of them by name. */
  readonly undone: number
  /** The same, by table. */
  readonly undoneIn: Readonly<Record<PendingRow['table'], number>>
  readonly undoneExample: string | undefined
  /** A row that keeps being undone, if there is one: it is now healed ever more slowly. */
  readonly flapping: string | undefined
}

export const NO_DRIFT: DriftReport = {
  undone: 0,
  undoneIn: { neighbour: 0, fdb: 0, route: 0 },
  undoneExample: undefined,
  flapping: undefined,
}

/** Counts drift between two reports. */
export class Drift {
  #report = NO_DRIFT

  count(table: PendingRow['table'], key: string, finding: Finding): void {
    if (finding === 'quiet') return
    const row = `${table} ${key}`
    const { undone, undoneIn, undoneExample = row, flapping } = this.#report
    this.#report = {
      undone: undone + 1,
      undoneIn: { ...undoneIn, [table]: undoneIn[table] + 1 },
      undoneExample,
      flapping: finding === 'flapping' ? row : flapping,
    }
  }

  forget(): void {
    this.#report = NO_DRIFT
  }

  /** @returns what was counted since the last call */
  take(): DriftReport {
    const report = this.#report
    this.#report = NO_DRIFT
    return report
  }
}
