import { environmentName, type Flag } from '../cli/flag.ts'
import { FLAG_GROUPS } from '../cli/flags.ts'

/** Flags that only print something: no settings. */
const PRINTING = new Set(['version', 'help', 'check', 'licenses'])

/** What a completion can offer for a flag's value. */
export type ValueKind = 'none' | 'file' | 'interface' | 'other'

export function valueKind({ placeholder }: Flag<unknown>): ValueKind {
  if (placeholder === undefined) return 'none'
  if (placeholder === 'file') return 'file'
  return placeholder.includes('name|ip') ? 'interface' : 'other'
}

/** Default of a flag as an operator would write it; empty when there is none. */
export function defaultText({ fallback }: Flag<unknown>): string {
  if (typeof fallback === 'object' && fallback !== null && 'text' in fallback) return String(fallback.text)
  if (Array.isArray(fallback)) return fallback.join(',')
  return typeof fallback === 'string' || typeof fallback === 'number' || typeof fallback === 'boolean'
    ? String(fallback)
    : ''
}

/** Flags that work and change something, under the headings of `--help`. */
export const SETTABLE_GROUPS = FLAG_GROUPS.map(({ title, flags }) => ({
  title,
  flags: flags.filter(({ name }) => !PRINTING.has(name)),
})).filter(({ flags }) => flags.length > 0)

export const ALL_FLAGS: readonly Flag<unknown>[] = FLAG_GROUPS.flatMap(({ flags }) => flags)

export { environmentName }
