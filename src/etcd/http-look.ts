import type { X509Certificate } from 'node:crypto'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { get as httpsGet } from 'node:https'
import { isIP } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { TlsCredentials } from './client/tls.ts'

/** What is read of an answer, in octets. */
const ENOUGH = 65_536
/** Nobody waits for longer, in milliseconds. */
const TIMEOUT_MS = 2_000

/** What somebody answered in HTTP/1. Nothing of it is believed. */
export interface HttpAnswer {
  readonly status: number
  readonly body: string
  /** Wall-clock time of whoever answered (RFC 9110 §6.6.1), in milliseconds; undefined: it does not say. */
  readonly dateMs: number | undefined
  /** Of TLS. */
  readonly certificate: X509Certificate | undefined
}

/**
 * Asks an address of etcd for a path in HTTP/1, which etcd speaks beside gRPC. Never fails.
 * @param tls for https: what the server must prove itself by, and what we show; undefined: nothing is proved, and nothing shown
 * @returns undefined where nobody answers, or what is no HTTP/1
 */
export function lookAt(
  url: string,
  tls: TlsCredentials | undefined,
  signal: AbortSignal,
): Promise<HttpAnswer | undefined> {
  return new Promise((resolve) => {
    const options = {
      agent: false,
      timeout: TIMEOUT_MS,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    } as const
    const take = (response: IncomingMessage): void => {
      void readAnswer(response).then(resolve)
    }
    const { hostname } = new URL(url)
    const servername = isIP(hostname.replace(/^\[|\]$/g, '')) === 0 ? hostname : '' // no address goes there (RFC 6066 §3)
    const request = url.startsWith('https:')
      ? httpsGet(url, { ...options, ...tlsOptions(tls), servername }, take)
      : httpGet(url, options, take)
    request.on('error', () => {
      resolve(undefined)
    })
  })
}

const tlsOptions = (tls: TlsCredentials | undefined): object =>
  tls === undefined
    ? { rejectUnauthorized: false }
    : { ca: tls.rootCertificate, cert: tls.certChain, key: tls.privateKey }

async function readAnswer(response: IncomingMessage): Promise<HttpAnswer> {
  const certificate = response.socket instanceof TLSSocket ? response.socket.getPeerX509Certificate() : undefined
  const dateMs = Date.parse(response.headers.date ?? '')
  let body = ''
  try {
    response.setEncoding('utf8')
    for await (const piece of response) {
      body += String(piece)
      if (body.length > ENOUGH) break
    }
  } catch {
    // what has come so far has to do
  }
  response.destroy()
  return { status: response.statusCode ?? 0, body, dateMs: Number.isNaN(dateMs) ? undefined : dateMs, certificate }
}
