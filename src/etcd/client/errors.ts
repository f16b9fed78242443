import {
  ClientClosedError,
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCAbortedError,
  GRPCAlreadyExistsError,
  GRPCCancelledError,
  GRPCDataLossError,
  GRPCDeadlineExceededError,
  GRPCFailedPreconditionError,
  GRPCInternalError,
  GRPCInvalidArgumentError,
  GRPCNotFoundError,
  GRPCNotImplementedError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
  GRPCUnauthenticatedError,
  GRPCUnavailableError,
} from 'etcd3'

import { StoreError, type StoreErrorCode } from '../../lease/store.ts'
import { MalformedMessage } from '../wire/reader.ts'
import { codeOfWords, GRPC_CODES, isTransient } from './codes.ts'

/** An answer that etcd never gives: whoever sent it is no etcd, or is not well. */
export class BrokenAnswer extends Error {
  override readonly name = 'BrokenAnswer'

  constructor(what: string) {
    super(`etcd never answers so: ${what}`)
  }
}

/** etcd3 turns the status of a unary call into a class and drops the number; this is the way back. */
const CODE_OF_CLASS: readonly (readonly [abstract new (...of: never[]) => Error, StoreErrorCode])[] = [
  [EtcdInvalidAuthTokenError, 'UNAUTHENTICATED'],
  [EtcdAuthenticationFailedError, 'UNAUTHENTICATED'],
  [EtcdPermissionDeniedError, 'PERMISSION_DENIED'],
  [EtcdLeaseInvalidError, 'NOT_FOUND'],
  [GRPCUnavailableError, 'UNAVAILABLE'],
  [GRPCDeadlineExceededError, 'DEADLINE_EXCEEDED'],
  [GRPCCancelledError, 'CANCELLED'],
  [GRPCInternalError, 'INTERNAL'],
  [GRPCAbortedError, 'ABORTED'],
  [GRPCResourceExhastedError, 'RESOURCE_EXHAUSTED'],
  [GRPCInvalidArgumentError, 'INVALID_ARGUMENT'],
  [GRPCFailedPreconditionError, 'FAILED_PRECONDITION'],
  [GRPCOutOfRangeError, 'OUT_OF_RANGE'],
  [GRPCNotFoundError, 'NOT_FOUND'],
  [GRPCAlreadyExistsError, 'ALREADY_EXISTS'],
  [GRPCNotImplementedError, 'UNIMPLEMENTED'],
  [GRPCUnauthenticatedError, 'UNAUTHENTICATED'],
  [GRPCDataLossError, 'DATA_LOSS'],
  [ClientClosedError, 'CLOSED'],
  [BrokenAnswer, 'PROTOCOL'],
  [MalformedMessage, 'PROTOCOL'],
]

/** What is asked of etcd, by the names of the port, as people would say it. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['readConfig', 'reading the configuration'],
  ['writeConfig', 'writing the configuration'],
  ['watchConfig', 'watching the configuration'],
  ['list', 'listing the leases'],
  ['watch', 'watching the leases'],
  ['saidAt', 'reading what a lease said'],
  ['create', 'writing a new lease'],
  ['replace', 'writing a lease'],
  ['keepAlive', 'renewing the lease'],
  ['remove', 'removing a lease'],
  ['release', 'removing a lease'],
  ['challenges', 'listing the challenges'],
  ['ask', 'asking who holds a lease'],
  ['answer', 'answering who holds a lease'],
  ['authenticate', 'logging in'],
  ['connect', 'connecting'],
])

/** Begins each message about a failure: what was being done and, once chosen, at which endpoint. */
export const attempt = (op: string, url: string | undefined): string =>
  [WORDS.get(op) ?? op, ...(url === undefined ? [] : [url])].join(' at ')

/** Where a call went wrong: the operation as the port names it and, once chosen, the address. */
export interface CallSite {
  readonly op: string
  /** URL of the endpoint. */
  readonly url?: string
}

/** A failure of our own making. */
export function storeError(
  { op, url }: CallSite,
  code: StoreErrorCode,
  message: string,
  cause?: unknown,
  root?: string,
): StoreError {
  const said = `${attempt(op, url)}: ${message}`
  return new StoreError({ op, code, retryable: isTransient(code), message: said, cause, url, root })
}

/** Whatever a call through etcd3 rejected with, as data. Never holds what we sent: neither password nor token. */
export function toStoreError(site: CallSite, error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const message = withoutNoise(error instanceof Error ? error.message : String(error))
  return storeError(site, codeOf(error) ?? codeOfWords(message) ?? 'UNKNOWN', message, error)
}

/** One failure of all addresses: the newest where they fail for one reason, else with the reason of each. */
export function together(newest: StoreError, byUrl: ReadonlyMap<string, StoreError>): StoreError {
  const faults = [...byUrl].sort(([a], [b]) => a.localeCompare(b))
  const roots = [...new Set(faults.map(([, { root, code }]) => root ?? code))].sort()
  if (roots.length < 2) return newest
  const { op, code, retryable, cause } = newest
  const parts = faults.map(([, fault]) => fault)
  const each = faults.map(([url, { message }]) => `${url}: ${message.split(`at ${url}: `)[1] ?? message}`)
  const message = `${attempt(op, undefined)}: ${each.join('; ')}`
  return new StoreError({ op, code, retryable, cause, message, root: roots.join(' '), parts })
}

/**
 * gRPC begins with the number and name of the status, and ends what it says of a connection with a note on name resolution, mostly an
 * empty one, and the time of its last error.
 */
const withoutNoise = (message: string): string =>
  message
    .replace(/^\d+ [A-Z_]+: /, '')
    .replace(/\.?(?: *Last error: null\.)? *Resolution note:\s*$/, '')
    .replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)$/, '')

/** Undefined where neither class nor status tells. */
function codeOf(error: unknown): StoreErrorCode | undefined {
  const known = CODE_OF_CLASS.find(([type]) => error instanceof type)
  return known?.[1] ?? codeOfStatus(error)
}

/** Streams reject with gRPC's own error, which carries the status number. The number of UNKNOWN tells nothing. */
function codeOfStatus(error: unknown): StoreErrorCode | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'number') return undefined
  const code = GRPC_CODES[error.code]
  return code === 'UNKNOWN' ? undefined : code
}
