/** Nested values of nft's JSON, see libnftables-json(5). */
export type NftObject = Readonly<Record<string, unknown>>

/** VXLAN network identifier, counted in bits from the UDP header: that has 64, then 32 of flags (RFC 7348 section 5). */
export const VNI_IN_UDP = { payload: { base: 'th', offset: 96, len: 24 } } as const

export const field = (protocol: string, name: string): NftObject => ({ payload: { protocol, field: name } })
export const meta = (key: string): NftObject => ({ meta: { key } })
export const equal = (left: NftObject, right: unknown): NftObject => ({ match: { op: '==', left, right } })
export const differs = (left: NftObject, right: unknown): NftObject => ({ match: { op: '!=', left, right } })
export const masked = (left: NftObject, mask: unknown): NftObject => ({ '&': [left, mask] })
export const jump = (target: string): NftObject => ({ jump: { target } })

/** First fragments that end before the VNI have no lawful sender; the others carry no UDP header and come to nothing without them. */
export const IPV6_FRAGMENT = equal({ exthdr: { name: 'frag' } }, true)
