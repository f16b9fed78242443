import type { Finding } from './table.ts'

/** What others have done to our rows since it was last told. */
export interface DriftReport {
  /** Rows that somebody else had changed, and one of them by name. */
  readonly undone: number
  readonly undoneExample: string | undefined
  /** A row that keeps being undone, if there is one: it is now healed ever more slowly. */
  readonly flapping: string | undefined
}

export const NO_DRIFT: DriftReport = { undone: 0, undoneExample: undefined, flapping: undefined }

/** Counts drift between two reports. */
export class Drift {
  #report = NO_DRIFT

  count(row: string, finding: Finding): void {
    if (finding === 'quiet') return
    const { undone, undoneExample = row, flapping } = this.#report
    this.#report = { undone: undone + 1, undoneExample, flapping: finding === 'flapping' ? row : flapping }
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
