/** Input from a person that breaks a rule. Names the field, the rule and what was found, so that it can be mended without reading code. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** Where: a JSON path such as `Backend.VNI`, or a flag such as `--iface`. */
  readonly path: string
  readonly expected: string
  readonly got: string

  constructor(path: string, expected: string, got: unknown) {
    const found = describeValue(got)
    super(`${path}: expected ${expected}, found ${found}`)
    this.path = path
    this.expected = expected
    this.got = found
  }
}

const LONGEST_QUOTE = 120

/** A value as a person would recognise it, cut where it would flood a log line. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === Infinity || value === -Infinity) return 'a number beyond all that can be told apart'
  const text = typeof value === 'bigint' ? String(value) : toJson(value)
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}… (${text.length} characters)` : text
}

/** JSON.parse reads values nested so deeply that JSON.stringify runs out of stack on them. */
function toJson(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    return 'a value nested too deeply to show'
  }
}
