import { request, type ClientRequest, type IncomingMessage } from 'node:http'
import { geteuid } from 'node:process'
import { STATUS_VERSION } from '../document.ts'
import { AgentAwayError, AgentAnswerError } from './errors.ts'

/** Longer than this an agent that lives does not take; it answers a question about peers after 10 s at the latest. */
const ANSWERS_WITHIN_MS = { GET: 5_000, POST: 15_000 } as const
/** Many times what 10 000 peers take; whoever sends more is no agent. In octets. */
const LONGEST_ANSWER = 256 * 1024 * 1024

export interface AskOptions {
  /** Path of the status socket. */
  readonly socket: string
  readonly method?: 'GET' | 'POST'
  readonly signal?: AbortSignal
  readonly withinMs?: number
}

/**
 * Asks the agent of this host for one of its documents (see document.ts).
 * @param path such as `/v1/peers?of=host-two`
 * @throws {AgentAwayError} when nobody answers, {AgentAnswerError} when what comes is no answer to this
 */
export async function ask<Document extends { readonly version: number }>(
  path: string,
  options: AskOptions,
): Promise<Document> {
  const text = await askText(path, options)
  const found = parsed(text)
  if (found.version === STATUS_VERSION) return found as Document // as the version promises
  throw new AgentAnswerError(
    `the agent speaks version ${String(found.version)} of its status, and this program version ${STATUS_VERSION}: ask with the program that the agent was started from`,
  )
}

/** The same, of what is no document, such as `/metrics`. @throws the same */
export async function askText(path: string, options: AskOptions): Promise<string> {
  const answer = await open(path, options)
  const text = await readAll(answer, options.socket)
  if (answer.statusCode === 200) return text
  throw new AgentAnswerError(`the agent says: ${problemIn(text)}`, answer.statusCode)
}

/** Sends the request, and waits for the head of the answer. @throws {AgentAwayError} */
export function open(
  path: string,
  {
    socket,
    method = 'GET',
    signal,
    withinMs = ANSWERS_WITHIN_MS[method],
    headers,
  }: AskOptions & { readonly headers?: Readonly<Record<string, string>> },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({
      ...{ socketPath: socket, path, method, agent: false, signal },
      headers: { host: 'localhost', connection: 'close', ...headers },
    })
    let late: ClientRequest | IncomingMessage = asked
    const timer = setTimeout(() => {
      late.destroy(new AgentAwayError('silent', socket, `does not answer within ${Math.ceil(withinMs / 1_000)} s`))
    }, withinMs)
    asked.once('error', (error) => {
      clearTimeout(timer)
      reject(awayFor(error, socket))
    })
    asked.once('response', (answer: IncomingMessage) => {
      late = answer
      if (headers !== undefined) clearTimeout(timer) // a stream goes on as long as it likes
      answer.once('close', () => {
        clearTimeout(timer)
      })
      resolve(answer)
    })
    asked.end()
  })
}

function awayFor(error: Error, socket: string): Error {
  if (error instanceof AgentAwayError || error.name === 'AbortError') return error
  const code = 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT' || code === 'ENOTDIR') return new AgentAwayError('absent', socket, 'is not there')
  if (code === 'ECONNREFUSED' || code === 'ENOTSOCK')
    return new AgentAwayError('refused', socket, 'has nobody behind it')
  if (code === 'EACCES' || code === 'EPERM')
    return new AgentAwayError('forbidden', socket, geteuid?.() === 0 ? 'may not be opened' : 'is for root: try sudo')
  return new AgentAwayError('strange', socket, `is no agent's: ${error.message}`)
}

async function readAll(answer: IncomingMessage, socket: string): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > LONGEST_ANSWER) throw new AgentAnswerError('the answer is longer than any of an agent')
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof AgentAnswerError || !(error instanceof Error)) throw error
    throw awayFor(error, socket)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parsed(text: string): { readonly version: unknown } {
  try {
    const found: unknown = JSON.parse(text)
    if (typeof found === 'object' && found !== null && 'version' in found) return found
  } catch {
    // no JSON, which is said below
  }
  throw new AgentAnswerError('what answers at the socket is no agent')
}

/** What an error's body says: `{"error": "…"}`, or its first line. */
function problemIn(text: string): string {
  try {
    const found: unknown = JSON.parse(text)
    if (typeof found === 'object' && found !== null && 'error' in found) return String(found.error)
  } catch {
    // plain text
  }
  return text.split('\n')[0]?.slice(0, 200) || 'nothing'
}
