import type { StoreErrorCode } from '../../lease/store.ts'

/**
 * gRPC status names in the order of their numbers (grpc: doc/statuscodes.md); etcd uses no others.
 */
export const GRPC_CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const satisfies readonly StoreErrorCode[]

/** Faults of the moment: network, election, overload, a full disk, something in between that is no etcd. The rest stands until somebody changes something. */
const TRANSIENT: ReadonlySet<StoreErrorCode> = new Set([
  'CANCELLED',
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'RESOURCE_EXHAUSTED',
  'ABORTED',
  'INTERNAL',
  'UNAVAILABLE',
  'PROTOCOL',
])

export const isTransient = (code: StoreErrorCode): boolean => TRANSIENT.has(code)
