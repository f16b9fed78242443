import type { Figure, Missing } from './figure.ts'
import type { Options } from './options.ts'

/** What every row is measured with. */
export interface Context {
  readonly options: Options
  /** Seen by simulated hosts too; gone when the bench ends. */
  readonly folder: string
  /** Path of a C program of this folder, compiled. @throws {NoCompiler} */
  program(name: string): string
  /** Progress, for whoever waits. */
  say(text: string): void
}

/** Figures that are taken together. */
export interface Row {
  readonly name: string
  readonly what: string
  run(context: Context): Promise<readonly (Figure | Missing)[]>
}
