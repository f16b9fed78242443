import { RE2JS, RE2JSException } from 're2js'
import type { TextPattern } from '../config/options.ts'

/** Why a text is no regular expression that we can follow. */
export interface BadRegExp {
  readonly problem: string
}

class GoRegExp implements TextPattern {
  readonly source: string
  readonly #compiled: RE2JS

  constructor(source: string, compiled: RE2JS) {
    this.source = source
    this.#compiled = compiled
  }

  test(text: string): boolean {
    return this.#compiled.test(text)
  }
}

/**
 * Compiles a regular expression of Go's `regexp` (RE2 syntax, as `--iface-regex` of upstream takes it). Whoever wrote it, matching
 * takes time in proportion to the text.
 */
export function compileGoRegExp(text: string): TextPattern | BadRegExp {
  try {
    return new GoRegExp(text, RE2JS.compile(text))
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    return { problem: error.message.replace(/^error parsing regexp: /, '') }
  }
}
