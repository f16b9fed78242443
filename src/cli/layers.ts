import { environmentName, flagReader, type FlagReader } from './flag.ts'

/** One place that settings come from: flags as they were given there, and variables. */
export interface Layer {
  readonly given: ReadonlyMap<string, readonly string[]>
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** A flag's value from the first layer that says something of it; the default where none does. */
export const layeredReader =
  (layers: readonly Layer[]): FlagReader =>
  (flag) => {
    const isSaid = ({ given, environment }: Layer): boolean =>
      given.get(flag.name)?.some((text) => text.trim() !== '') === true ||
      (environment[environmentName(flag.name)] ?? '').trim() !== ''
    const { given, environment } = layers.find(isSaid) ?? {
      given: new Map<string, readonly string[]>(),
      environment: {},
    }
    return flagReader(given, environment)(flag)
  }
