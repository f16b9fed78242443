import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

import type { Clock } from '../../time/clock.ts'

/** What answers at an address that etcd's API was not found at. */
export type Answering =
  | { readonly is: 'etcd' }
  /** One that has no v3 API. */
  | { readonly is: 'old etcd'; readonly version: string }
  | { readonly is: 'tls' }
  | { readonly is: 'http/1' }
  | { readonly is: 'something else' }
  /** Nobody, or nobody who says anything. */
  | { readonly is: 'silent' }

/** Nobody waits for this longer than for etcd itself; in milliseconds. */
const TIMEOUT_MS = 1_000
/** What is read of an answer, in octets. */
const ENOUGH = 2_048

/** etcd of every version says who it is there, in HTTP/1 (etcd: dev-guide/api_grpc_gateway.md). */
const QUESTION = 'GET /version HTTP/1.0\r\nConnection: close\r\n\r\n'

/** Each address is asked so often at most, in milliseconds: everything that fails there would ask. */
const REMEMBERED_MS = 10_000

/** Asks who answers, and remembers it for a while. */
export class WhoAnswers {
  readonly #clock: Clock
  readonly #ask: typeof whoAnswers
  readonly #answers = new Map<string, { readonly atMs: number; readonly answer: Promise<Answering> }>()

  constructor(clock: Clock, ask = whoAnswers) {
    this.#clock = clock
    this.#ask = ask
  }

  /** As {@link whoAnswers}. */
  at(authority: string): Promise<Answering> {
    const nowMs = this.#clock.monotonicMs()
    const known = this.#answers.get(authority)
    if (known !== undefined && nowMs - known.atMs < REMEMBERED_MS) return known.answer
    const answer = this.#ask(authority)
    this.#answers.set(authority, { atMs: nowMs, answer })
    return answer
  }
}

/**
 * Asks, without any secret, who answers at an address: the errors of HTTP/2 do not tell one from the other. Never fails.
 * @param authority host and port, an IPv6 address in brackets
 */
export async function whoAnswers(authority: string): Promise<Answering> {
  const { hostname, port } = new URL(`tcp://${authority}`)
  const place = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
  const socket = connect(place, () => socket.write(QUESTION))
  const answer = await firstWords(socket)
  if (answer !== '') return judge(answer)
  return (await shakesHands(place)) ? { is: 'tls' } : { is: 'silent' }
}

function judge(answer: string): Answering {
  const [, version] = /"etcdserver":"(\d[^"]*)"/.exec(answer) ?? []
  if (version !== undefined) return Number.parseInt(version) >= 3 ? { is: 'etcd' } : { is: 'old etcd', version }
  // Go's server for HTTP says so in HTTP; others answer with an alert (RFC 8446 §6)
  if (/HTTP request (was sent )?to (an )?HTTPS/i.test(answer) || answer.startsWith('\u0015\u0003')) return { is: 'tls' }
  return { is: /^HTTP\/1/.test(answer) ? 'http/1' : 'something else' }
}

/** What comes until the other end, the time, or our patience is over. */
function firstWords(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let words = ''
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(words)
    }
    const timer = setTimeout(done, TIMEOUT_MS)
    socket.setEncoding('latin1')
    socket.on('data', (piece) => {
      words += String(piece)
      if (words.length > ENOUGH) done()
    })
    socket.on('error', done).on('close', done)
  })
}

/** Whether TLS is spoken there. Nothing is believed, and nothing sent. */
function shakesHands(place: { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTls({ ...place, rejectUnauthorized: false })
    const done = (isTls: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(isTls)
    }
    const timer = setTimeout(done, TIMEOUT_MS, false)
    socket.on('secureConnect', () => {
      done(true)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      done(/^ERR_SSL_.*ALERT/.test(error.code ?? ''))
    })
    socket.on('close', () => {
      done(false)
    })
  })
}
