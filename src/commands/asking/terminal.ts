import { paintFor, type ColourChoice } from '../../present/paint.ts'
import type { Looks } from '../../present/table.ts'

/** How what is printed is to look where standard output leads. */
export interface Terminal extends Looks {
  /** Whether somebody looks at it as it comes. */
  readonly isLive: boolean
}

/** Narrower than this nothing can be shown; some terminals say 0. */
const LEAST_WIDTH = 40

export function terminal(
  choice: ColourChoice,
  environment: Readonly<Record<string, string | undefined>>,
  stream: { readonly isTTY?: boolean; readonly columns?: number } = process.stdout,
): Terminal {
  const isLive = stream.isTTY === true
  const width = isLive ? Math.max(LEAST_WIDTH, stream.columns || Number(environment['COLUMNS']) || 80) : undefined
  return { isLive, width, paint: paintFor(choice, isLive, environment) }
}

/** Says on standard error what long work is at, in one line that the next replaces; nothing where nobody looks. */
export class Progress {
  readonly #stream = process.stderr
  #width = 0

  say(text: string): void {
    if (!this.#stream.isTTY) return
    const shown = text.slice(0, Math.max(1, (this.#stream.columns || 80) - 1))
    this.#stream.write(`\r${shown.padEnd(this.#width)}`)
    this.#width = shown.length
  }

  /** The same, of what may take long enough that somebody wonders: where no terminal is, as a line that stays. */
  announce(text: string, complain: (text: string) => void): void {
    if (this.#stream.isTTY) this.say(text)
    else complain(text)
  }

  /** Takes the line away. */
  end(): void {
    if (this.#width > 0) this.#stream.write(`\r${' '.repeat(this.#width)}\r`)
    this.#width = 0
  }
}
