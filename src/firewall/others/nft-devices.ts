/** Hooks of single interfaces: packets as they come from the card, before anything else sees them, and as they are handed to it. */
export const AT_DEVICES: ReadonlySet<string> = new Set(['ingress', 'egress'])

const HEAD =
  /^\s*chain (\S+) \{\s*(?:comment "[^"]*"\s*)?type \w+ hook (?:ingress|egress) devices?(?: =)? (\{[^}]*\}|\S+)/gm
const NAME = /[^\s{},"]+/g

/**
 * The interfaces at which each chain of a table stands, by its name, from what `nft list table` prints: in JSON, nft leaves them out (1.0.6).
 * Pure.
 */
export function devicesOf(listing: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    Array.from(listing.matchAll(HEAD), ([, chain = '', devices = '']) => [chain, devices.match(NAME) ?? []]),
  )
}
