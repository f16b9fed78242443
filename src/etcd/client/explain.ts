import { StoreError, type StoreErrorCode } from '../../lease/store.ts'
import type { Validity } from './certificates.ts'
import { attempt } from './errors.ts'
import type { Answering } from './who-answers.ts'

/** What is known of a connection when something asked over it has failed. */
export interface Circumstances {
  readonly url: string
  /** What the connection died of, if it did. */
  readonly fault: Error | undefined
  /** Whether TCP stood. */
  readonly wasReached: boolean
  /** Who answers there instead of etcd; undefined: nobody has asked. */
  readonly answering: Answering | undefined
  /** Our own certificate, if we have one. */
  readonly certificate: Validity | undefined
  /** The CA that we trust, if one was given. */
  readonly authority: Validity | undefined
  /** Whom etcd takes us for. */
  readonly user: string
  readonly prefix: string
  /** Wall-clock time. */
  readonly nowMs: number
}

const NOT_TRUSTED = 'the server has a certificate that --etcd-cafile (or, without it, the system) does not vouch for'
const REFUSED =
  'etcd refused our certificate, or wants one: --etcd-certfile and --etcd-keyfile, signed by the CA it trusts'
const NO_TLS = 'the server speaks no TLS: an http:// endpoint?'
const NO_HTTP2 = 'what answers speaks no HTTP/2: an etcd older than 3, a web server, or a proxy that lets none through'
const NOT_ETCD = 'what answers is no etcd with the v3 API'
const OUR_CERTIFICATE = 'the certificate in --etcd-certfile'

/** Error codes of Node's TLS (OpenSSL's names) and sockets, and what a person can do about them. Alerts without their prefix. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['SELF_SIGNED_CERT_IN_CHAIN', NOT_TRUSTED],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', NOT_TRUSTED],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', NOT_TRUSTED],
  ['UNABLE_TO_GET_ISSUER_CERT', NOT_TRUSTED],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', NOT_TRUSTED],
  ['CERT_SIGNATURE_FAILURE', NOT_TRUSTED],
  ['CERT_HAS_EXPIRED', "the server's certificate has expired"],
  ['CERT_NOT_YET_VALID', "the server's certificate is not valid yet: compare the clocks"],
  ['ERR_TLS_CERT_ALTNAME_INVALID', "the server's certificate is for other names than that in --etcd-endpoints"],
  ['ALERT_CERTIFICATE_REQUIRED', REFUSED],
  ['ALERT_UNKNOWN_CA', REFUSED],
  ['ALERT_BAD_CERTIFICATE', REFUSED],
  ['ALERT_CERTIFICATE_EXPIRED', `${OUR_CERTIFICATE} has expired`],
  ['ALERT_NO_APPLICATION_PROTOCOL', NO_HTTP2],
  ['ERR_SSL_WRONG_VERSION_NUMBER', NO_TLS],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', NO_TLS],
  ['ECONNREFUSED', 'nothing listens there'],
  ['EHOSTUNREACH', 'no way leads to that host'],
  ['ENETUNREACH', 'no route leads there'],
  ['EADDRNOTAVAIL', 'this host has no address to ask from'],
  ['ETIMEDOUT', 'nobody answers there: a wrong address, a host that is down, or a firewall that drops'],
  ['ENOTFOUND', 'there is no address for that name'],
  ['EAI_AGAIN', 'nobody tells the address for that name: is there a resolver?'],
])

/** Every version of OpenSSL names the alerts of a peer for other versions of TLS. */
const ALERT_PREFIX = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_(?=ALERT_)/

/** What an etcd whose database is full wants done (etcd: op-guide/maintenance.md). */
const NO_SPACE =
  'compact, defragment and disarm the alarm (etcdctl compact, defrag, alarm disarm), or raise --quota-backend-bytes'

const HANGS = 'it was reached: it hangs, is overloaded, or has lost its leader (etcdctl endpoint status)'
const NO_USER = 'etcd wants a user: --etcd-username and --etcd-password'

/** What asks without changing anything, by the names of the port. */
const READING: ReadonlySet<string> = new Set(['readConfig', 'list', 'watch', 'watchConfig', 'challenges'])

/** Failures that may be of the connection, and not of what was asked. */
const OF_CONNECTION: ReadonlySet<StoreErrorCode> = new Set(['UNAVAILABLE', 'INTERNAL'])

/** A reason in words, and in a word that stays the same whichever endpoint and moment. */
interface Reason {
  readonly saying: string
  readonly root: string
}

/**
 * A failure that says what it comes from and what to do, where that is known. gRPC's own words about a failed connection are OpenSSL's,
 * several times over, or none: they give way to the remedy and the name of the fault.
 */
export function explain(failure: StoreError, circumstances: Circumstances): StoreError {
  const { op, code, retryable, message, cause } = failure
  const reason = reasonOf(failure, circumstances)
  const said = (text: string, root: string): StoreError =>
    new StoreError({ op, code, retryable, message: text, cause, root, url: circumstances.url })
  if (reason !== undefined)
    return said(`${attempt(op, circumstances.url)}: ${reason.saying} (${reason.root})`, reason.root)
  const help = helpFor(failure, circumstances)
  if (help !== undefined) return said(`${message} (${help})`, help === NO_USER ? 'no user' : code)
  const fault = code === 'UNAVAILABLE' ? circumstances.fault?.message.trim() : undefined
  const isNews = fault !== undefined && !message.toLowerCase().includes(fault.toLowerCase())
  return isNews ? said(`${message} (${fault})`, code) : failure
}

/** Whether only asking who is there can tell why there is no connection. */
export const isRiddle = (failure: StoreError, circumstances: Circumstances): boolean =>
  OF_CONNECTION.has(failure.code) && reasonByName(failure, circumstances) === undefined

/** What etcd itself has answered, and what to do about it. */
function helpFor({ op, code, message }: StoreError, { user, prefix }: Circumstances): string | undefined {
  if (code === 'RESOURCE_EXHAUSTED') return NO_SPACE
  if (code === 'DEADLINE_EXCEEDED') return HANGS
  if (code === 'PERMISSION_DENIED')
    return `${user} lacks a role with ${READING.has(op) ? 'read' : 'write'} permission below ${prefix}/`
  if (code === 'INVALID_ARGUMENT' && message.includes('user name is empty')) return NO_USER
  return undefined
}

/** Why there is no connection, or none to etcd; undefined where that is not known, or there is one. */
function reasonOf(failure: StoreError, circumstances: Circumstances): Reason | undefined {
  const { code, message } = failure
  if (code === 'DEADLINE_EXCEEDED' && !circumstances.wasReached) return reasonNamed('ETIMEDOUT', circumstances)
  if (code === 'UNIMPLEMENTED') return { saying: NOT_ETCD, root: code }
  if (!OF_CONNECTION.has(code)) return undefined
  return reasonByName(failure, circumstances) ?? reasonOfAnswer(circumstances) ?? closed(message)
}

const reasonByName = ({ message }: StoreError, circumstances: Circumstances): Reason | undefined =>
  [nameOf(circumstances.fault), nameIn(message)].flatMap((name) => reasonNamed(name, circumstances) ?? [])[0]

function reasonNamed(name: string, { certificate, authority, nowMs }: Circumstances): Reason | undefined {
  const words = REMEDIES.get(name.replace(ALERT_PREFIX, ''))
  if (words === undefined) return undefined
  if (words === REFUSED && certificate !== undefined) {
    if (certificate.toMs < nowMs) return { saying: `${OUR_CERTIFICATE} has expired`, root: name }
    if (certificate.fromMs > nowMs)
      return { saying: `${OUR_CERTIFICATE} is not valid yet: compare the clocks`, root: name }
  }
  if (name === 'CERT_HAS_EXPIRED' && authority !== undefined && authority.toMs < nowMs)
    return { saying: 'the CA in --etcd-cafile has expired', root: name }
  return { saying: words, root: name }
}

const nameOf = (fault: Error | undefined): string =>
  fault !== undefined && 'code' in fault && typeof fault.code === 'string' ? fault.code : ''

/** gRPC has it in its text only: "Error: connect ECONNREFUSED 10.0.0.1:2379", "Name resolution failed for target …". */
const nameIn = (message: string): string =>
  message.includes('Name resolution failed') ? 'ENOTFOUND' : (/\b(E[A-Z]{4,}(?:_AGAIN)?)\b/.exec(message)?.[1] ?? '')

function reasonOfAnswer({ answering, url }: Circumstances): Reason | undefined {
  const isSecure = url.startsWith('https:')
  switch (answering?.is) {
    case 'etcd':
      return isSecure ? { saying: NO_TLS, root: 'HTTP' } : undefined
    case 'tls':
      return isSecure ? undefined : { saying: 'the server wants TLS: an https:// endpoint?', root: 'TLS' }
    case 'old etcd':
      return { saying: 'an etcd answers that has no v3 API', root: `version ${answering.version}` }
    case 'http/1':
      return { saying: NO_HTTP2, root: 'HTTP/1' }
    case 'something else':
      return { saying: NOT_ETCD, root: 'no HTTP' }
    default:
      return undefined
  }
}

/** How gRPC puts it that a connection was closed under a call, by a server that stops for one. */
const closed = (message: string): Reason | undefined =>
  /RST_STREAM with code 0|Failed to connect$|ECONNRESET|socket hang up/.test(message)
    ? { saying: 'the connection was closed by the other end', root: 'closed' }
    : undefined
