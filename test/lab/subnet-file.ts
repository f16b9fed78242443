import { addressAt, prefix, type Prefix } from '../../src/net/prefix.ts'

/** What containers need to know of a host's subnet.env. */
export interface SubnetFile {
  /** Every line, by variable name. */
  readonly variables: ReadonlyMap<string, string>
  readonly subnet: Prefix
  /** First usable address of the subnet with its length: `10.15.64.1/20`. */
  readonly bridgeAddress: string
  readonly mtu: number
  /** With both families. */
  readonly ipv6: { readonly subnet: Prefix; readonly bridgeAddress: string } | undefined
}

export function parseSubnetFile(text: string): SubnetFile {
  const lines = text.split('\n').filter((line) => line.includes('='))
  const variables = new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
  const bridgeAddress = variables.get('FLANNEL_SUBNET') ?? ''
  const bridgeAddress6 = variables.get('FLANNEL_IPV6_SUBNET')
  return {
    variables,
    bridgeAddress,
    subnet: prefix(bridgeAddress),
    mtu: Number(variables.get('FLANNEL_MTU')),
    ipv6: bridgeAddress6 === undefined ? undefined : { bridgeAddress: bridgeAddress6, subnet: prefix(bridgeAddress6) },
  }
}

/** Address of container number `index` (from 0): the bridge has the first usable one. */
export const containerAddress = ({ subnet }: Pick<SubnetFile, 'subnet'>, index: number): string =>
  addressAt(subnet, BigInt(index) + 2n).text
