import { isObject } from '../../config/json.ts'
import { StoreError, type StoreErrorCode } from '../../lease/store.ts'
import { printable } from '../../text/printable.ts'

/** One kind of request, as Kubernetes' authorization names it. */
export interface Operation {
  /** Of the port, for messages: `list of Nodes`. */
  readonly op: string
  readonly verb: 'get' | 'list' | 'watch' | 'patch'
  readonly resource: 'nodes' | 'nodes/status' | 'pods'
}

/** The longest of the server's own words that is repeated. */
const LONGEST_WORDS = 300

/** HTTP status codes (RFC 9110 section 15) that say more than their hundred. */
const CODES: Readonly<Record<number, StoreErrorCode>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
  410: 'OUT_OF_RANGE',
  422: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  504: 'DEADLINE_EXCEEDED',
}

const codeOf = (status: number): StoreErrorCode => CODES[status] ?? (status >= 500 ? 'UNAVAILABLE' : 'UNKNOWN')

/** Those that time alone may cure; a token is replaced, and so is what we may. */
const isTransient = (status: number): boolean => status === 401 || status === 409 || status === 429 || status >= 500

/** A request that was answered with something else than success. `body`: a Status (Kubernetes API, meta/v1), where the server keeps to it. */
export function refused({ op, verb, resource }: Operation, url: string, status: number, body: string): StoreError {
  const cure = status === 403 ? `. Cure: ${cureFor(verb, resource)}` : status === 401 ? UNKNOWN_TO_IT : ''
  const message = `${op} at ${url}: HTTP ${status}${wordsOf(statusIn(body))}${cure}`
  return new StoreError({
    op,
    code: codeOf(status),
    retryable: isTransient(status),
    message,
    url,
    root: String(status),
  })
}

const UNKNOWN_TO_IT =
  '. Cure: a token or client certificate that the API server knows; one that is replaced is taken up'

const cureFor = (verb: string, resource: string): string =>
  `the ClusterRole bound to this agent needs verb ${verb} on ${resource}: - apiGroups: [""], resources: [${resource}], verbs: [${verb}]`

/** Why a server says no (Kubernetes API, meta/v1 Status). */
export interface StatusWords {
  /** Its `reason`, such as `Forbidden` or `Expired`. */
  readonly word: string
  /** Its `message`. */
  readonly sentence: string
}

/** What a Status says; of what is none, all of it is the sentence. */
function statusIn(body: string): StatusWords {
  try {
    return readStatus(JSON.parse(body))
  } catch {
    return { word: '', sentence: body }
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

export const readStatus = (status: unknown): StatusWords =>
  isObject(status)
    ? { word: textOf(status['reason']), sentence: textOf(status['message']) }
    : { word: '', sentence: '' }

/** What stands behind its code: ` Forbidden: nodes is forbidden: …`. A sentence that is no more than the word is not said twice. */
export function wordsOf(status: StatusWords): string {
  const [word = '', sentence = ''] = [status.word, status.sentence].map((text) =>
    printable(text).slice(0, LONGEST_WORDS),
  )
  const parts = [
    [' ', word],
    [': ', sentence === word ? '' : sentence],
  ]
  return parts.map(([before = '', text = '']) => (text === '' ? text : before + text)).join('')
}

/** A request that was not answered. `cause`: Node's own error. */
export function unanswered({ op }: Pick<Operation, 'op'>, url: string, cause: unknown): StoreError {
  const root = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
  const words = cause instanceof Error ? printable(cause.message.replace(NODES_OWN_HINT, '')) : 'no answer'
  const message = `${op} at ${url}: ${words}${hintFor(root)}`
  return new StoreError({ op, code: 'UNAVAILABLE', retryable: true, message, cause, url, root })
}

/** How to run Node, which is nobody's business here: what is trusted, kubeconfig and service account say. */
const NODES_OWN_HINT = /[;,.]? *(?:if the root CA is installed locally, *)?try running Node\.js.*$/is

/** @param what has not come, in words */
export const silent = ({ op }: Pick<Operation, 'op'>, url: string, what: string): StoreError =>
  new StoreError({
    op,
    code: 'DEADLINE_EXCEEDED',
    retryable: true,
    message: `${op} at ${url}: ${what} in time`,
    url,
  })

/** An answer that no API server gives. */
export const broken = ({ op }: Pick<Operation, 'op'>, url: string, what: string): StoreError =>
  new StoreError({ op, code: 'PROTOCOL', retryable: true, message: `${op} at ${url}: ${what}`, url })

export const abortedByCaller = ({ op }: Pick<Operation, 'op'>, cause?: unknown): StoreError =>
  new StoreError({ op, code: 'ABORTED_BY_CALLER', retryable: false, message: `${op}: stopped`, cause })

export const closed = ({ op }: Pick<Operation, 'op'>): StoreError =>
  new StoreError({ op, code: 'CLOSED', retryable: false, message: `${op}: closed` })

/** What a failure of TLS or of the network most often comes from. */
function hintFor(root: string | undefined): string {
  if (root === undefined) return ''
  const hint = HINTS[root]
  return hint === undefined ? '' : ` (${hint})`
}

const HINTS: Readonly<Record<string, string>> = {
  CERT_NOT_YET_VALID: "the server's certificate begins later: is this host's clock right?",
  CERT_HAS_EXPIRED: "the server's certificate is over: is this host's clock right?",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'signed by another authority than the one we trust',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'signed by another authority than the one we trust',
  SELF_SIGNED_CERT_IN_CHAIN: 'signed by another authority than the one we trust',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'signed by itself, and not by the authority we trust',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for other names',
  EPROTO: 'does the server speak TLS there?',
}
