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
] as const

/** Codes of our own beside gRPC's: the caller's signal fired; the store was closed; an answer that etcd never gives. */
export const LOCAL_CODES = ['ABORTED_BY_CALLER', 'CLOSED', 'PROTOCOL'] as const

export type StoreCode = (typeof GRPC_CODES)[number] | (typeof LOCAL_CODES)[number]

/** Faults of the moment: network, election, overload, a full disk. The rest stands until somebody changes something. */
const TRANSIENT: ReadonlySet<string> = new Set<StoreCode>([
  'CANCELLED',
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'RESOURCE_EXHAUSTED',
  'ABORTED',
  'INTERNAL',
  'UNAVAILABLE',
])

export const isTransient = (code: string): boolean => TRANSIENT.has(code)
