/** What somebody asks over HTTP. */
export interface Question {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly path: string
  readonly query: URLSearchParams
  /** By name in lower case; undefined where there is none. */
  readonly header: (name: string) => string | undefined
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** Pieces that are made as they are read: whoever reads slowly, or never, keeps one of them in memory. */
export type Pieces = Iterable<string> | AsyncIterable<string>

export interface Answer {
  readonly status: number
  /** Content type; JSON where none is given. */
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string | Pieces
  /** It goes on for as long as whoever asked listens, as server-sent events do. */
  readonly isEndless?: boolean
}

export interface Route {
  /** GET where none is given; whoever may GET may ask with HEAD. */
  readonly method?: 'GET' | 'POST'
  /** What it throws is answered with 500. Work that takes longer than some milliseconds is cut into {@link Pieces}. */
  readonly respond: (question: Question) => Answer | Promise<Answer>
  /**
   * Whether it is answered whatever name the host is called by. A web page of others can make a browser ask under a name of its own
   * (DNS rebinding) and read the answer; it cannot where names that are not ours are refused.
   */
  readonly isForAnyName?: boolean
}

/** By path, without what follows a `?`. */
export type Routes = ReadonlyMap<string, Route>

export const json = (body: object, status = 200): Answer => ({ status, body: `${JSON.stringify(body)}\n` })

/** Whoever asks wrongly is told how to ask. */
export const refusal = (status: 400 | 404 | 405 | 421 | 503, error: string): Answer => json({ error }, status)
