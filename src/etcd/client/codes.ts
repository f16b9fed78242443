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

/**
 * What etcd says where it has no other way to say its code: its grpc-proxy passes on the words of an error with the status UNKNOWN (etcd:
 * api/v3rpc/rpctypes/error.go). Words of which etcd3 makes classes of its own are not among them.
 */
const CODE_OF_WORDS: ReadonlyMap<string, StoreErrorCode> = new Map([
  ['etcdserver: mvcc: required revision has been compacted', 'OUT_OF_RANGE'],
  ['etcdserver: mvcc: required revision is a future revision', 'OUT_OF_RANGE'],
  ['etcdserver: mvcc: database space exceeded', 'RESOURCE_EXHAUSTED'],
  ['etcdserver: request is too large', 'INVALID_ARGUMENT'],
  ['etcdserver: user name is empty', 'INVALID_ARGUMENT'],
])

/** @param words without gRPC's number and name of the status */
export const codeOfWords = (words: string): StoreErrorCode | undefined => CODE_OF_WORDS.get(words)
