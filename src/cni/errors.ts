/** Numbers of the CNI specification 1.1, section 5 "Error", and libcni's own for what has none. */
export const CNI_CODES = {
  incompatibleVersion: 1,
  unknownContainer: 3,
  invalidEnvironment: 4,
  io: 5,
  decoding: 6,
  invalidConfig: 7,
  tryAgainLater: 11,
  notAvailable: 50,
  internal: 999,
} as const

export type CniCode = (typeof CNI_CODES)[keyof typeof CNI_CODES]

/** A failure the runtime is told of, in the terms of the CNI specification. */
export class CniError extends Error {
  override readonly name = 'CniError'
  readonly code: CniCode
  /** What helps to mend it; may be empty. */
  readonly details: string

  constructor(code: CniCode, message: string, details = '') {
    super(message)
    this.code = code
    this.details = details
  }
}

/** A failure of the file system, named after what was to be done. */
export function ioError(doing: string, error: unknown): CniError {
  return new CniError(CNI_CODES.io, `cannot ${doing}`, error instanceof Error ? error.message : String(error))
}

/** The system's code of a failed call: `ENOENT`. */
export const errnoOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)
