/** Octets: what an IPv4 link must carry (RFC 791 §3.2), and the most that an IP packet can have. */
export const MTU = { least: 68, most: 65_535 } as const

/** The MTU that a text of decimal digits names, in octets; undefined when it names none. */
export function parseMtu(text: string): number | undefined {
  const mtu = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return mtu < MTU.least || mtu > MTU.most ? undefined : mtu
}
