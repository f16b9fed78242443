/** Why a text is no regular expression that we can follow. */
export interface BadRegExp {
  readonly problem: string
}

/** The classes of POSIX that Go takes within brackets, such as `[[:alpha:]_]` (RE2 syntax), as ranges of ASCII. */
const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  digit: '0-9',
  lower: 'a-z',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
}

/** What Go understands differently, or what it lacks so that nobody can have meant it: refused rather than guessed at. */
const OTHERWISE_IN_GO = /\\(?:[1-9aCQEpP]|x\{)|\[:|\(\?(?!:|<[A-Za-z_])/

/** An escaped character, or one of the spellings to translate. */
const SPELLINGS = /\\[^]|\(\?P<|\[:([a-z]+):\]/g

/**
 * Compiles a regular expression that was written for Go's `regexp` (RE2 syntax, as `--iface-regex` of upstream takes it). The flags
 * `(?i)` and `(?s)` at its start, `\A`, `\z`, `(?P<name>…)` and POSIX classes are translated; what else means something different in
 * JavaScript is refused.
 */
export function compileGoRegExp(text: string): RegExp | BadRegExp {
  const [, flags = ''] = /^\(\?([is]+)\)/.exec(text) ?? []
  const body = text.slice(flags === '' ? 0 : flags.length + '(?)'.length)
  const translated = body.replace(SPELLINGS, (spelling: string, name: string | undefined) => {
    if (spelling === '\\A') return '^'
    if (spelling === '\\z') return '$'
    if (spelling === '(?P<') return '(?<'
    return (name !== undefined && POSIX_CLASSES[name]) || spelling
  })
  const [construct] = OTHERWISE_IN_GO.exec(translated.replace(/\\\\/g, '')) ?? []
  if (construct !== undefined) return { problem: `${construct} is not supported` }
  try {
    return new RegExp(translated, [...new Set(flags)].join(''))
  } catch (error) {
    return { problem: error instanceof SyntaxError ? error.message.replace(/^.*\/: /, '') : String(error) }
  }
}
