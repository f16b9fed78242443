/** What the network configuration of the model may be: a few subnets that other settings cut differently. */
export interface Cut {
  /** Length of the IPv4 subnets. */
  readonly length: number
  /** The first of the /24 networks to hand out, and how many. */
  readonly first: number
  readonly count: number
  /** Length of the IPv6 subnets; undefined: IPv4 alone. */
  readonly length6: number | undefined
}

export const configText = ({ length, first, count, length6 }: Cut): string =>
  JSON.stringify({
    Network: '10.1.0.0/19',
    SubnetLen: length,
    SubnetMin: `10.1.${first}.0`,
    SubnetMax: lastOf(first + count, length),
    ...(length6 === undefined ? {} : ipv6(first, count, length6)),
    Backend: { Type: 'vxlan', VNI: 1 },
  })

/** Base of the last subnet of this length before 10.1.`end`.0. */
function lastOf(end: number, length: number): string {
  const last = end * 256 - 2 ** (32 - length)
  return `10.1.${last >> 8}.${last & 255}`
}

const ipv6 = (first: number, count: number, length: number) => ({
  EnableIPv6: true,
  IPv6Network: 'fd00:1::/58',
  IPv6SubnetLen: length,
  IPv6SubnetMin: subnet6(first),
  IPv6SubnetMax: subnet6(first + count - (length === 63 ? 2 : 1)),
})

const subnet6 = (number: number): string => `fd00:1:0:${number.toString(16)}::`
