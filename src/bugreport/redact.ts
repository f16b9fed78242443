/** What stands where a secret stood. */
export const GONE = '[removed]'

/** Shorter ones would be found in many words that are none. */
const SHORTEST_SECRET = 4

/** What is part of the name of a variable, flag or field that is nobody's business, and the rest of such a name. */
const SECRET_NAME = String.raw`(?:passw(?:or)?d|passphrase|secret|token|credential|api[-_]?key|private[-_]?key|key[-_]?file|authorization)[\w.-]{0,64}`
const VALUE = String.raw`(?:\\?"(?:\\.|[^"\\])*\\?"|'[^']*'|[^\s"',}\]]+)`

/** `NAME=value`, `"name": "value"`, `name: value`, quoted or not, also within JSON within JSON. */
const NAMED = new RegExp(String.raw`(?<name>${SECRET_NAME})(?<between>\\?["']?\s{0,8}[=:]\s{0,8})${VALUE}`, 'gi')
/** A flag and its value apart: `--etcd-password hunter2`. */
const FLAGGED = new RegExp(
  String.raw`(?<=(?:^|[\s"'=])--?[\w-]{0,64})(?<name>${SECRET_NAME})(?<between>["',]*\s+["']?)[^\s"'-][^\s"']*`,
  'gi',
)
/** `Authorization: Bearer abc` and the like, where the value has two words. */
const BEARER = /\b(?:bearer|basic)\s+[\w+/=.~-]{4,}/gi
/** Between the scheme of a URL and its host (RFC 3986 §3.2.1). */
const USERINFO = /(?<![a-z0-9+.-])(?<scheme>[a-z][a-z0-9+.-]{0,15}:\/\/)[^\s/@"'<>]+@/gi
/** RFC 7468, of any kind of private key; to the end of the text where its own is missing. */
const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$(?![^]))/g

/** Whether a variable of that name holds a secret. */
export const isSecretName = (name: string): boolean => new RegExp(SECRET_NAME, 'i').test(name)

/**
 * Takes secrets out of a text: those that are known, wherever they stand and however they are written in a URL or as base64, and what looks
 * like one: users and passwords in URLs, values of variables, flags and fields that are named like one, private keys.
 */
export function redact(text: string, known: readonly string[]): string {
  let clean = text.replaceAll(PRIVATE_KEY, GONE)
  for (const secret of spellingsOf(known)) clean = clean.replaceAll(secret, GONE)
  return clean
    .replaceAll(BEARER, GONE)
    .replaceAll(USERINFO, `$<scheme>${GONE}@`)
    .replaceAll(FLAGGED, `$<name>$<between>${GONE}`)
    .replaceAll(NAMED, `$<name>$<between>${GONE}`)
}

/** The longest first: one may be a part of another. */
function spellingsOf(known: readonly string[]): readonly string[] {
  const all = known
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), base64(secret)])
  return [...new Set(all)].sort((a, b) => b.length - a.length)
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64')

/** User and password of a URL, each by itself. */
export function secretsInUrl(url: string): readonly string[] {
  const [, user, password] = /^[a-z][a-z0-9+.-]*:\/\/([^\s/@:]*)(?::([^\s/@]*))?@/i.exec(url) ?? []
  return [user, password].flatMap((part) => (part === undefined || part === '' ? [] : [part]))
}
