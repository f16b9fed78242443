export interface Part {
  readonly text: string
  /** Paths below the root. */
  readonly bundled: readonly string[]
}
export function programInParts(): Promise<Readonly<Record<string, Part>>>
export const WITHOUT_CACHE: readonly string[]
