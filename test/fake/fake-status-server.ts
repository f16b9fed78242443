import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface FakeStatusServer {
  readonly socket: string
  /** `GET /v1/status` and so on, as they came. */
  readonly asked: readonly string[]
  close(): Promise<void>
}

/** What answers a path: JSON, or whatever it does with the response itself. */
export type FakeAnswer = object | ((request: IncomingMessage, response: ServerResponse) => void)

/** An agent's status socket, with these answers by path without its query. */
export async function fakeStatusServer(answers: Readonly<Record<string, FakeAnswer>>): Promise<FakeStatusServer> {
  const folder = mkdtempSync(join(tmpdir(), 'flannel-status-'))
  const socket = join(folder, 'flanneld.sock')
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`)
    const answer = answers[(request.url ?? '').replace(/\?.*/, '')]
    if (typeof answer === 'function') answer(request, response)
    else if (answer === undefined) response.writeHead(404).end('{"error":"no such path"}\n')
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return {
    ...{ socket, asked },
    close: () =>
      new Promise((resolve) => {
        if (!server.listening) {
          resolve()
          return
        }
        server.closeAllConnections()
        server.close(() => {
          rmSync(folder, { recursive: true, force: true })
          resolve()
        })
      }),
  }
}
