import { request, type IncomingMessage, type RequestOptions } from 'node:http'

/** Where an agent answers: at its status socket, or at its health port over the network. */
export type Where = { readonly socketPath: string } | { readonly host: string; readonly port: number }

/** An agent that the page may look at. */
export interface Upstream {
  readonly name: string
  readonly where: Where
}

/** Until an answer begins, in milliseconds: the page itself waits for ten seconds. */
const HEAD_WITHIN_MS = 8_000

/**
 * Asks an agent, and nobody else: an answer that leads elsewhere is not followed.
 * @param path one of ours, never what somebody has asked for
 * @throws {Error} when no answer begins
 */
export function askUpstream(
  { name, where }: Upstream,
  { path, accept, signal }: { readonly path: string; readonly accept: string; readonly signal: AbortSignal },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions = {
      ...where,
      ...{ path, agent: false, signal, headers: { host: hostOf(where), accept, connection: 'close' } },
    }
    const asked = request(options, (answer) => {
      clearTimeout(timer)
      resolve(answer)
    })
    const timer = setTimeout(() => {
      asked.destroy(new Error('it does not answer'))
    }, HEAD_WITHIN_MS)
    asked.once('error', (error) => {
      clearTimeout(timer)
      reject(new Error(`${name}: ${error.message}`, { cause: error }))
    })
    asked.end()
  })
}

/** An agent answers to an address, or to its own name (src/http/host-names.ts); ours for the other end may be another. */
const hostOf = (where: Where): string => ('socketPath' in where ? 'localhost' : `127.0.0.1:${where.port}`)
