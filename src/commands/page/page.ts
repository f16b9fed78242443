import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { hostname } from 'node:os'
import type { CommandCall } from '../../cli/commands.ts'
import { DEFAULT_SOCKET, COMMON } from '../../cli/command/common-flags.ts'
import { readCommand } from '../../cli/command/spec.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { LISTEN, NODES, PAGE, PORT, type NodeAddress } from '../../cli/specs/page.ts'
import type { FlagReader } from '../../cli/flag.ts'
import { HttpServer } from '../../http/server.ts'
import { loadPage, NoPageError } from '../../page/load-page.ts'
import { pageServerRoutes } from '../../page/page-server.ts'
import type { Upstream } from '../../page/upstream.ts'
import { ask } from '../../status/client/ask.ts'
import { AgentAnswerError, AgentAwayError } from '../../status/client/errors.ts'
import type { StatusDocument } from '../../status/document.ts'
import { printable } from '../../text/printable.ts'
import { wordsFor } from '../asking/asking.ts'
import { endWithOutput, writeOutput } from '../output.ts'

/** 128 bits, as nobody can guess them (RFC 4086 §3.1). */
const KEY_OCTETS = 16

/** `flanneld page`: serves the page until it is asked to stop. */
export async function run(call: CommandCall): Promise<number> {
  const { stopSignal } = call
  const reading = readCommand(PAGE, call.args, call.environment)
  if (reading.kind === 'print') return endWithOutput(reading.text, EXIT.done, stopSignal)
  const { value } = reading
  try {
    await loadPage()
    const upstreams = await upstreamsOf(value, call)
    const key = randomBytes(KEY_OCTETS).toString('base64url')
    const routes = pageServerRoutes({ key, upstreams })
    const http = new HttpServer({ routes, ownNames: new Set([hostname().toLowerCase()]) })
    const url = await listen(http, value)
    await writeOutput(`${url}#key=${key}\n`, stopSignal)
    if (!stopSignal.aborted) await once(stopSignal, 'abort')
    http.close()
    return EXIT.done
  } catch (error) {
    const isSaid = error instanceof NoPageError || error instanceof ListenError
    if (!isSaid) throw error
    complain(error.message)
    return EXIT.failed
  }
}

const complain = (text: string): void => {
  process.stderr.write(`flanneld page: ${printable(text)}\n`)
}

/** The agent of this host first. One that does not answer now may do so later; where others are to be asked, it need not be there. */
async function upstreamsOf(value: FlagReader, { environment, stopSignal }: CommandCall): Promise<readonly Upstream[]> {
  const socket = value(COMMON.socket) ?? (environment['FLANNELD_STATUS_SOCKET'] || DEFAULT_SOCKET)
  const others = value(NODES).map(({ host, port }: NodeAddress): Upstream => ({
    ...{ name: `${host.includes(':') ? `[${host}]` : host}:${port}`, where: { host, port } },
  }))
  const here: Upstream = { name: hostname(), where: { socketPath: socket } }
  try {
    await ask<StatusDocument>('/v1/status', { socket, signal: stopSignal })
    return [here, ...others]
  } catch (error) {
    if (!(error instanceof AgentAwayError || error instanceof AgentAnswerError)) throw error
    if (others.length > 0) return others
    complain(`${wordsFor(error)}; the page asks again and again`)
    return [here]
  }
}

/** The page cannot be served where it was to be. */
class ListenError extends Error {
  override readonly name = 'ListenError'
}

const CURES: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'another program listens there: end it, or choose another --port'],
  ['EADDRNOTAVAIL', 'no interface has this address: choose another --listen'],
  ['EACCES', 'ports below 1024 are for root: choose another --port'],
])

/** @returns where it is. @throws {ListenError} */
async function listen({ server }: HttpServer, value: FlagReader): Promise<string> {
  const [{ text: host, family }, port] = [value(LISTEN), value(PORT)]
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    throw new ListenError(`cannot listen on ${host} port ${port}: ${CURES.get(code) ?? String(error)}`)
  }
  server.ref()
  const address = server.address()
  const taken = typeof address === 'object' && address !== null ? address.port : port
  return `http://${family === 6 ? `[${host}]` : host}:${taken}/`
}
