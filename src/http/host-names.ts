import { isIP } from 'node:net'

/**
 * Whether a `Host` header names this host in a way that nobody else can make lead here: by an address, as `localhost`, or by one of these
 * names. RFC 9112 §3.2: the header is the authority that was asked for, with its port.
 */
export function isNamedOurs(host: string | undefined, ownNames: ReadonlySet<string>): boolean {
  if (host === undefined) return true // HTTP/1.0: no browser asks so
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::\d{1,5})?$/.exec(host) ?? []
  if (bracketed !== undefined) return isIP(bracketed) === 6
  const name = plain?.toLowerCase().replace(/\.$/, '')
  return name !== undefined && (isIP(name) === 4 || name === 'localhost' || ownNames.has(name))
}
