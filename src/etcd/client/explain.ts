import { StoreError } from '../../lease/store.ts'

const NOT_TRUSTED = 'the server has a certificate that --etcd-cafile (or, without it, the system) does not vouch for'
const CLIENT_WANTED =
  'etcd refused our certificate, or wants one: --etcd-certfile and --etcd-keyfile, signed by the CA it trusts'

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
  ['ALERT_CERTIFICATE_REQUIRED', CLIENT_WANTED],
  ['ALERT_UNKNOWN_CA', CLIENT_WANTED],
  ['ALERT_BAD_CERTIFICATE', CLIENT_WANTED],
  ['ALERT_CERTIFICATE_EXPIRED', 'the certificate in --etcd-certfile has expired'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'the server speaks no TLS: an http:// endpoint?'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'the server speaks no TLS: an http:// endpoint?'],
])

/** Every version of OpenSSL names the alerts of a peer for other versions of TLS. */
const ALERT_PREFIX = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_(?=ALERT_)/

/** What an etcd whose database is full wants done (etcd: op-guide/maintenance.md). */
const NO_SPACE =
  'compact, defragment and disarm the alarm (etcdctl compact, defrag, alarm disarm), or raise --quota-backend-bytes'

/**
 * A failure that says what to do, where that is known. gRPC's own words about a failed handshake are OpenSSL's, several times over:
 * they give way to the remedy and the name of the fault.
 * @param fault what the connection died of, if it did
 */
export function explain(failure: StoreError, url: string, fault: Error | undefined): StoreError {
  const { op, code, retryable, message, cause } = failure
  const said = (text: string): StoreError => new StoreError({ op, code, retryable, message: text, cause })
  if (code === 'RESOURCE_EXHAUSTED') return said(`${message} (${NO_SPACE})`)
  if (code !== 'UNAVAILABLE' || fault === undefined) return failure
  const name = 'code' in fault && typeof fault.code === 'string' ? fault.code : fault.message.trim()
  const remedy = REMEDIES.get(name.replace(ALERT_PREFIX, ''))
  return said(remedy === undefined ? `${message} (${fault.message.trim()})` : `${op} at ${url}: ${remedy} (${name})`)
}
