/** Why nobody answers: no socket, one that nobody listens at, no right to open it, no word in time, no HTTP. */
export type Away = 'absent' | 'refused' | 'forbidden' | 'silent' | 'strange'

/** The agent of this host cannot be asked. */
export class AgentAwayError extends Error {
  override readonly name = 'AgentAwayError'
  readonly why: Away
  readonly socket: string

  constructor(why: Away, socket: string, words: string) {
    super(`${socket} ${words}`)
    this.why = why
    this.socket = socket
  }
}

/** Somebody has answered, but not what was asked. */
export class AgentAnswerError extends Error {
  override readonly name = 'AgentAnswerError'
  /** Of HTTP, where it is that. */
  readonly status: number | undefined

  constructor(message: string, status?: number) {
    super(message)
    this.status = status
  }
}
