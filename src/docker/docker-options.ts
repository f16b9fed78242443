import { ConfigError } from '../config/error.ts'
import { MTU, parseMtu } from '../config/mtu.ts'
import { readAssignments } from '../host/subnet-env.ts'
import { parseIp, sameIp } from '../net/ip.ts'
import { parsePrefix } from '../net/prefix.ts'

/** What Docker can be told besides what it always is. */
export interface DockerChoices {
  /** Whether to say who masquerades: old Dockers do not know the option. */
  readonly ipMasq: boolean
  /** Whether to give containers IPv6 addresses, when we have a subnet for them. */
  readonly ipv6: boolean
}

/** Options of dockerd, each with the name of the variable that carries it, in the order of these names. */
export type DockerOptions = readonly (readonly [variable: string, option: string])[]

/** A variable of the subnet file and where it stands. */
interface Variable {
  readonly value: string
  /** `/run/flannel/subnet.env:2 FLANNEL_SUBNET` */
  readonly place: string
}

/**
 * Makes Docker's options of the text of a subnet file. Every value is read and written anew, never copied: the outcome ends up in
 * files that shells and systemd read.
 * @param path how to call the file in errors
 * @throws {ConfigError} naming the line, or the variable that is not there
 */
export function dockerOptionsFrom(path: string, text: string, choices: DockerChoices): DockerOptions {
  const refuse = (line: number, found: string): never => {
    throw new ConfigError(`${path}:${line}`, 'NAME=value, a comment or nothing', found)
  }
  const variables = readAssignments(text, { takes: 'shell', refuse })
  const read = <T>(name: string, reader: (variable: Variable) => T): T | undefined => {
    const { value = '', line = 0 } = variables.get(name) ?? {}
    return value === '' ? undefined : reader({ value, place: `${path}:${line} ${name}` })
  }
  const bip = read('FLANNEL_SUBNET', bridgeAddress)
  if (bip === undefined)
    throw new ConfigError(`${path} FLANNEL_SUBNET`, 'a subnet: without one Docker would choose its own', undefined)
  const mtu = read('FLANNEL_MTU', octets)
  const ours = read('FLANNEL_IPMASQ', trueOrFalse)
  const ipv6 = read('FLANNEL_IPV6_SUBNET', ipv6Network)
  const candidates: readonly (readonly [string, string | undefined])[] = [
    ['DOCKER_OPT_BIP', `--bip=${bip}`],
    ['DOCKER_OPT_FIXED_CIDR_V6', choices.ipv6 && ipv6 !== undefined ? `--fixed-cidr-v6=${ipv6}` : undefined],
    ['DOCKER_OPT_IPMASQ', choices.ipMasq && ours !== undefined ? `--ip-masq=${!ours}` : undefined],
    ['DOCKER_OPT_IPV6', choices.ipv6 && ipv6 !== undefined ? '--ipv6=true' : undefined],
    ['DOCKER_OPT_MTU', mtu === undefined ? undefined : `--mtu=${mtu}`],
  ]
  return candidates.flatMap(([variable, option]) => (option === undefined ? [] : [[variable, option] as const]))
}

/** The bridge's address with the length of its subnet, as `10.1.2.1/24`. Docker needs room for a container beside it. */
function bridgeAddress({ value, place }: Variable): string {
  const subnet = parsePrefix(value)
  const address = parseIp(value.split('/')[0] ?? '')
  if (subnet?.family !== 4 || address === undefined || subnet.length > LONGEST_SUBNET || sameIp(address, subnet.base))
    throw new ConfigError(place, 'an IPv4 address with the length of its subnet, such as 10.1.2.1/24', value)
  return `${address.text}/${subnet.length}`
}

/** Two addresses: the bridge's and one container's. */
const LONGEST_SUBNET = 30

function ipv6Network({ value, place }: Variable): string {
  const subnet = parsePrefix(value)
  if (subnet?.family !== 6) throw new ConfigError(place, 'an IPv6 address with a length, such as fd00:1::1/64', value)
  return subnet.text
}

function octets({ value, place }: Variable): number {
  const mtu = parseMtu(value)
  if (mtu === undefined) throw new ConfigError(place, `a number of octets from ${MTU.least} to ${MTU.most}`, value)
  return mtu
}

function trueOrFalse({ value, place }: Variable): boolean {
  if (value !== 'true' && value !== 'false') throw new ConfigError(place, 'true or false', value)
  return value === 'true'
}
