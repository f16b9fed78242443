import { isObject } from '../../config/json.ts'
import { StoreError, type StoreErrorCode } from '../../lease/store.ts'
import { printable } from '../../text/printable.ts'

/** One kind of request, as Kubernetes' authorization names it. */
export interface Operation {
  /** Of the port, for messages: `list of Nodes`. */
  readonly op: string
  readonly verb: 'get' | 'list' | 'watch' | 'patch' | 'create'
  readonly resource: 'nodes' | 'nodes/status' | 'pods' | 'selfsubjectaccessreviews'
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
export function refused(operation: Operation, url: string, status: number, body: string): StoreError {
  const { op } = operation
  const said = statusIn(body)
  const { code, retryable } = judge(status, said)
  const message = `${op} at ${url}: HTTP ${status}${wordsOf(said)}${cureOf(operation, status, said)}`
  return new StoreError({ op, code, retryable, message, url, root: String(status) })
}

/** A Node that is not there is named; whatever stands before API servers, and an API server that is about to serve, know no such path. */
const knowsNoPath = (status: number, { subject }: StatusWords): boolean =>
  (status === 404 && subject === '') || (status >= 300 && status <= 399)
const takesUsForAnybody = (status: number, { sentence }: StatusWords): boolean =>
  status === 403 && sentence.includes('"system:anonymous"')

function judge(status: number, said: StatusWords): Pick<StoreError, 'code' | 'retryable'> {
  if (takesUsForAnybody(status, said)) return { code: 'UNAUTHENTICATED', retryable: true }
  if (knowsNoPath(status, said)) return { code: 'UNAVAILABLE', retryable: true }
  return { code: codeOf(status), retryable: isTransient(status) }
}

function cureOf({ verb, resource }: Operation, status: number, said: StatusWords): string {
  if (status === 401)
    return '. Cure: a token or client certificate that the API server knows; one that is replaced is taken up'
  if (takesUsForAnybody(status, said))
    return '. Cure: a token or client certificate: it was sent none, and takes us for anybody'
  if (status === 403 && OF_RBAC.test(said.sentence)) return `. Cure: ${cureFor(verb, resource)}`
  if (status === 403 && said.word !== '')
    return '. Cure: no right is missing: what it names, such as an admission policy of the cluster, is to let this agent write'
  if (knowsNoPath(status, said))
    return '. Cure: the URL of an API server itself: what answers here has no such path, or not yet'
  return ''
}

/** How every authorizer of API servers says that a right is missing; what else is forbidden is so by admission. */
const OF_RBAC = /\bcannot [a-z]+ resource\b/

const cureFor = (verb: string, resource: string): string =>
  `the ClusterRole bound to this agent needs verb ${verb} on ${resource}: - apiGroups: [""], resources: [${resource}], verbs: [${verb}]`

/** Why a server says no (Kubernetes API, meta/v1 Status). */
export interface StatusWords {
  /** Its `reason`, such as `Forbidden` or `Expired`. */
  readonly word: string
  /** Its `message`. */
  readonly sentence: string
  /** `details.name`: of what object it speaks; empty: of none. */
  readonly subject: string
}

/** What a Status says; of what is none, all of it is the sentence. */
function statusIn(body: string): StatusWords {
  try {
    return readStatus(JSON.parse(body))
  } catch {
    return { ...NO_WORDS, sentence: body }
  }
}

const NO_WORDS: StatusWords = { word: '', sentence: '', subject: '' }

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

export function readStatus(status: unknown): StatusWords {
  if (!isObject(status)) return NO_WORDS
  const { reason, message, details } = status
  const subject = isObject(details) ? textOf(details['name']) : ''
  return { word: textOf(reason), sentence: textOf(message), subject }
}

/** What stands behind its code: ` Forbidden: nodes is forbidden: …`. A sentence that is no more than the word is not said twice. */
export function wordsOf(status: Pick<StatusWords, 'word' | 'sentence'>): string {
  const [word = '', sentence = ''] = [status.word, status.sentence].map((text) =>
    printable(text).slice(0, LONGEST_WORDS),
  )
  const parts = [
    [' ', word],
    [': ', sentence === word ? '' : sentence],
  ]
  return parts.map(([before = '', text = '']) => (text === '' ? text : before + text)).join('')
}

/** A request that was not answered. `cause`: Node's own error. @param proxy a variable that names one, which is not followed */
export function unanswered({ op }: Pick<Operation, 'op'>, url: string, cause: unknown, proxy?: string): StoreError {
  const root = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
  const message = `${op} at ${url}: ${whatHappened(cause)}${hintFor(root, url)}${remarkOn(proxy)}`
  return new StoreError({ op, code: 'UNAVAILABLE', retryable: true, message, cause, url, root })
}

/** Where a name has several addresses, each was tried, and what became of it stands in errors of its own. */
function whatHappened(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '')
    return cause.errors.map(whatHappened).join('; ').slice(0, LONGEST_WORDS)
  return cause instanceof Error ? printable(cause.message.replace(NODES_OWN_HINT, '')) : 'no answer'
}

function remarkOn(proxy: string | undefined): string {
  if (proxy === undefined) return ''
  return ` (${proxy} is set, and not followed: the API server itself is asked)`
}

/** How to run Node, which is nobody's business here: what is trusted, kubeconfig and service account say. */
const NODES_OWN_HINT = /[;,.]? *(?:if the root CA is installed locally, *)?try running Node\.js.*$/is

/** @param what has not come, in words @param proxy a variable that names one, which is not followed */
export const silent = ({ op }: Pick<Operation, 'op'>, url: string, what: string, proxy?: string): StoreError =>
  new StoreError({
    op,
    code: 'DEADLINE_EXCEEDED',
    retryable: true,
    message: `${op} at ${url}: ${what} in time${remarkOn(proxy)}`,
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
function hintFor(root: string | undefined, url: string): string {
  if (root === undefined) return ''
  const isPlain = root === 'ECONNRESET' && url.startsWith('http:')
  const hint = isPlain ? 'API servers speak TLS: https:// in the place of http://?' : HINTS[root]
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
