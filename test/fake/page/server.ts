import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { StatusEvent } from '../../../src/status/document.ts'
import type { AgentDocuments } from './documents.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Answers as an agent's status paths do, with documents that a test has made, and the page in front of them. */
export class FakeAgentServer {
  documents: AgentDocuments
  readonly #server: Server
  readonly #streams = new Set<ServerResponse>()
  readonly #page: Handler

  private constructor(documents: AgentDocuments, page: Handler) {
    this.documents = documents
    this.#page = page
    this.#server = createServer((request, response) => {
      this.#answer(request, response)
    })
  }

  /** @param page answers what is not asked below /v1 */
  static async start(documents: AgentDocuments, page: Handler): Promise<FakeAgentServer> {
    const made = new FakeAgentServer(documents, page)
    await new Promise<void>((resolve) => made.#server.listen(0, '127.0.0.1', resolve))
    return made
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Everybody who listens hears it. */
  tell(event: StatusEvent): void {
    this.documents = { ...this.documents, events: [...this.documents.events, event] }
    for (const stream of this.#streams) stream.write(`id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`)
  }

  /** Ends every stream, as an agent does that is started again. */
  hangUp(): void {
    for (const stream of this.#streams) stream.end()
    this.#streams.clear()
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve()
      })
    })
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const [path = ''] = (request.url ?? '').split('?')
    const { status, peers, pending, rejected, events } = this.documents
    const at = status.at
    const documents: Readonly<Record<string, object>> = {
      '/v1/status': status,
      '/v1/peers': { version: 1, at, peers },
      '/v1/pending': { version: 1, total: pending.length, rows: pending },
      '/v1/rejected': { version: 1, total: rejected.length, rows: rejected },
      '/v1/events': { version: 1, events },
    }
    const document = documents[path]
    if (document === undefined) this.#page(request, response)
    else if (request.headers.accept === 'text/event-stream') this.#stream(response)
    else response.setHeader('content-type', 'application/json').end(JSON.stringify(document))
  }

  #stream(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    this.#streams.add(response)
    response.on('close', () => this.#streams.delete(response))
  }
}
