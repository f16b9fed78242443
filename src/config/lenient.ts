/** A text that was to be JSON, and how it was read all the same. */
export interface LenientText {
  /** JSON of the same meaning; the text itself, where nothing helps. */
  readonly json: string
  /** What was looked over, in words; none for what is JSON. */
  readonly oddities: readonly string[]
}

/** What is longer was not written by hand, and is read as it is; in characters. */
const LONGEST = 16_384

/** A way in which people come to write something else than JSON. */
interface Mistake {
  readonly oddity: string
  /** The text without it. It may return the same, or nonsense: only what becomes JSON counts. */
  readonly mend: (text: string) => string
}

/** A string of JSON: what looks like a mistake inside of one is none. */
const STRING = '"(?:[^"\\\\]|\\\\.)*"'
const COMMENT = new RegExp(`${STRING}|//[^\\n]*|/\\*[^]*?\\*/|#[^\\n]*`, 'g')
const COMMA_TOO_MANY = new RegExp(`${STRING}|,(?=\\s*[}\\]])`, 'g')

/** The outer ones first: a text may have several. */
const MISTAKES: readonly Mistake[] = [
  {
    oddity: 'UTF-16',
    mend: (text) => (text.includes('\0') ? text.replace(/^[\uFFFD\uFEFF]+/, '').replaceAll('\0', '') : text),
  },
  { oddity: 'a byte order mark', mend: (text) => text.replace(/^\uFEFF/, '') },
  { oddity: 'base64', mend: fromBase64 },
  { oddity: 'URL encoding', mend: (text) => (/^\s*%7B/i.test(text) ? fromUrl(text) : text) },
  { oddity: 'JSON inside a string of JSON', mend: insideString },
  { oddity: 'quotes around it', mend: (text) => text.replace(/^\s*(["'`])(\{[^]*\})\1\s*$/, '$2') },
  { oddity: 'escaped quotes', mend: (text) => (/^\s*\{\s*\\"/.test(text) ? text.replaceAll('\\"', '"') : text) },
  { oddity: 'typographic quotes', mend: (text) => text.replaceAll(/[\u201C-\u201F\u00AB\u00BB]/g, '"') },
  { oddity: 'spaces that are none', mend: (text) => text.replaceAll(/[\u00A0\u200B\u2028\u2029]/g, ' ') },
  { oddity: 'single quotes for double ones', mend: (text) => (text.includes('"') ? text : text.replaceAll("'", '"')) },
  { oddity: 'comments', mend: (text) => text.replaceAll(COMMENT, (found) => (found.startsWith('"') ? found : ' ')) },
  { oddity: 'a comma or semicolon behind it', mend: (text) => text.replace(/\}\s*[,;]\s*$/, '}') },
  {
    oddity: 'a comma too many',
    mend: (text) => text.replaceAll(COMMA_TOO_MANY, (found) => (found === ',' ? '' : found)),
  },
]

/**
 * Reads what people commonly get wrong when they write JSON through shells and editors, as far as it has one meaning only. Pure; never
 * fails: what is no JSON in any way comes back as it is.
 */
export function readLeniently(text: string): LenientText {
  if (isJsonObject(text) || text.length > LONGEST) return { json: text, oddities: [] }
  const oddities: string[] = []
  let json = text
  for (const { oddity, mend } of MISTAKES) {
    const mended = mend(json)
    if (mended !== json) oddities.push(oddity)
    json = mended
    if (isJsonObject(json)) return { json, oddities }
  }
  return { json: text, oddities: [] }
}

/** What a text seems to be that is no JSON and cannot be taken for any; undefined where nobody can tell. */
export function whatItIs(text: string): string | undefined {
  const bare = text.trim()
  if (bare === '') return 'it is empty'
  if (/^\{\s*[A-Za-z]\w*\s*:/.test(bare))
    return 'its quotes are gone: a shell eats them unless it stands between single quotes'
  if (/^(---\s+)?[A-Za-z]\w*:(\s|$)/.test(bare)) return 'it is YAML'
  if (/^[@<]?[\w./-]+\.(json|conf|cfg|ya?ml)$/.test(bare)) return 'it is the name of a file, and not what is in it'
  if (/^\s*(\$\(|`)/.test(bare)) return 'it is a command that no shell has run'
  if (/^(["']?)(\d+(\.\d+){3}|[\da-f]*:[\da-f:]+)(\/\d+)?\1$/i.test(bare))
    return 'it is a network alone, and not {"Network":"…"}'
  if (/^"\w+"\s*:/.test(bare)) return 'its braces are missing'
  if (bare.startsWith('{') && !bare.endsWith('}')) return 'its end is missing'
  return undefined
}

function isJsonObject(text: string): boolean {
  const value = parsed(text)
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function insideString(text: string): string {
  const inside = parsed(text)
  return typeof inside === 'string' ? inside : text
}

/** Base64 of an object begins with what `{` becomes (RFC 4648 §4). */
function fromBase64(text: string): string {
  const bare = text.replaceAll(/\s/g, '')
  if (!/^e[wy][\w+/-]*={0,2}$/.test(bare)) return text
  try {
    return atob(bare)
  } catch {
    return text
  }
}

function fromUrl(text: string): string {
  try {
    return decodeURIComponent(text.trim().replaceAll('+', ' '))
  } catch {
    return text
  }
}
