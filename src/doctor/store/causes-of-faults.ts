/** Causes of etcd's not answering as it should, by what an error of a store comes from. */
export type StoreCause =
  | 'etcd-not-named'
  | 'etcd-refused'
  | 'etcd-unreachable'
  | 'etcd-name-unknown'
  | 'etcd-wants-tls'
  | 'etcd-speaks-no-tls'
  | 'etcd-v2-only'
  | 'etcd-is-not-there'
  | 'etcd-certificate-untrusted'
  | 'etcd-certificate-name'
  | 'etcd-certificate-expired'
  | 'etcd-certificate-not-yet-valid'
  | 'own-certificate-refused'
  | 'etcd-password'
  | 'etcd-wants-user'
  | 'etcd-role'
  | 'etcd-full'
  | 'etcd-without-leader'
  | 'certificate-files'
  | 'own-certificate-expired'
  | 'ca-expired'

/** By the root of an error: names of errno, of Node's TLS (OpenSSL's), and words of the store's own (etcd/client/explain.ts). */
const BY_ROOT: ReadonlyMap<string, StoreCause> = new Map([
  ['ECONNREFUSED', 'etcd-refused'],
  ['EHOSTUNREACH', 'etcd-unreachable'],
  ['ENETUNREACH', 'etcd-unreachable'],
  ['EADDRNOTAVAIL', 'etcd-unreachable'],
  ['ETIMEDOUT', 'etcd-unreachable'],
  ['closed', 'etcd-unreachable'],
  ['ENOTFOUND', 'etcd-name-unknown'],
  ['EAI_AGAIN', 'etcd-name-unknown'],
  ['TLS', 'etcd-wants-tls'],
  ['HTTP', 'etcd-speaks-no-tls'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'etcd-speaks-no-tls'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'etcd-speaks-no-tls'],
  ['HTTP/1', 'etcd-is-not-there'],
  ['no HTTP', 'etcd-is-not-there'],
  ['ALERT_NO_APPLICATION_PROTOCOL', 'etcd-is-not-there'],
  ['UNIMPLEMENTED', 'etcd-is-not-there'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'etcd-certificate-untrusted'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'etcd-certificate-untrusted'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'etcd-certificate-untrusted'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'etcd-certificate-untrusted'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'etcd-certificate-untrusted'],
  ['CERT_SIGNATURE_FAILURE', 'etcd-certificate-untrusted'],
  ['CERT_HAS_EXPIRED', 'etcd-certificate-expired'],
  ['CERT_NOT_YET_VALID', 'etcd-certificate-not-yet-valid'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'etcd-certificate-name'],
  ['ALERT_CERTIFICATE_REQUIRED', 'own-certificate-refused'],
  ['ALERT_UNKNOWN_CA', 'own-certificate-refused'],
  ['ALERT_BAD_CERTIFICATE', 'own-certificate-refused'],
  ['ALERT_CERTIFICATE_EXPIRED', 'own-certificate-refused'],
  ['no user', 'etcd-wants-user'],
  ['files', 'certificate-files'],
])

/** By gRPC's name of the status, where the root says no more. */
const BY_CODE: ReadonlyMap<string, StoreCause> = new Map([
  ['UNAUTHENTICATED', 'etcd-password'],
  ['PERMISSION_DENIED', 'etcd-role'],
  ['RESOURCE_EXHAUSTED', 'etcd-full'],
  ['UNIMPLEMENTED', 'etcd-is-not-there'],
  ['PROTOCOL', 'etcd-is-not-there'],
  ['DEADLINE_EXCEEDED', 'etcd-without-leader'],
  ['UNAVAILABLE', 'etcd-without-leader'],
])

/** Every version of OpenSSL names the alerts of a peer for other versions of TLS. */
const ALERT_PREFIX = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_(?=ALERT_)/
/** How the store names an etcd that is too old: `version 2.3.8`. */
const OLD_VERSION = /^version \d/

/** Undefined where nothing is known of such a failure. */
export function causeOfFault({
  root,
  code,
}: {
  readonly root: string | null
  readonly code: string | null
}): StoreCause | undefined {
  const word = (root ?? '').replace(ALERT_PREFIX, '')
  if (OLD_VERSION.test(word)) return 'etcd-v2-only'
  return BY_ROOT.get(word) ?? BY_CODE.get(code ?? '')
}
