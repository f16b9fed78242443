import { MTU, parseMtu } from '../config/mtu.ts'
import { readRegularFile } from '../host/files/regular-file.ts'
import { readAssignments, SUBNET_VARIABLES, type Assignment } from '../host/subnet-env.ts'
import { parsePrefix, type Prefix } from '../net/prefix.ts'
import type { Family } from '../net/ip.ts'
import { CNI_CODES, CniError, errnoOf, ioError } from './errors.ts'

/** What the agent says of this host's part of the overlay. */
export interface Overlay {
  /** One per family, IPv4 first. */
  readonly subnets: readonly Prefix[]
  /** The whole overlay, to be reached through the container's gateway; IPv4 first. */
  readonly networks: readonly Prefix[]
  /** Octets. */
  readonly mtu: number
  /** Whether the agent masquerades, so that nobody else must. */
  readonly ipMasq: boolean
}

const LONGEST_QUOTE = 120

/** @throws {CniError} 11 while there is no file, 5 when it cannot be read, 6 when it does not say what it must */
export async function readOverlay(path: string): Promise<Overlay> {
  return parseOverlay(path, await readText(path))
}

async function readText(path: string): Promise<string> {
  try {
    return await readRegularFile(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw ioError(`read ${path}`, error)
    throw new CniError(
      CNI_CODES.tryAgainLater,
      `there is no ${path} yet`,
      'flanneld writes it once the overlay forwards: is it running, and what does its log say?',
    )
  }
}

/** @throws {CniError} 6 naming the file, the variable and what was found */
export function parseOverlay(path: string, text: string): Overlay {
  const values = readAssignments(text)
  const read = (variable: keyof (typeof SUBNET_VARIABLES)[Family]): readonly Prefix[] =>
    ([4, 6] as const).flatMap((family) => readNetworks(path, values, SUBNET_VARIABLES[family][variable], family))
  const [subnets, networks] = [read('subnet'), read('network')]
  const [mtuText, ipMasq] = [values.get('FLANNEL_MTU')?.value ?? '', values.get('FLANNEL_IPMASQ')?.value ?? '']
  const missing = [
    ...(subnets.length === 0 ? ['FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET'] : []),
    ...(networks.length === 0 ? ['FLANNEL_NETWORK or FLANNEL_IPV6_NETWORK'] : []),
    ...(mtuText === '' ? ['FLANNEL_MTU'] : []),
    ...(ipMasq === '' ? ['FLANNEL_IPMASQ'] : []),
  ]
  if (missing.length > 0) throw invalid(path, `it lacks ${missing.join(', ')}`)
  const mtu = parseMtu(mtuText)
  if (mtu === undefined)
    throw invalid(
      path,
      `FLANNEL_MTU: expected a number of octets from ${MTU.least} to ${MTU.most}, found ${mtuText.slice(0, LONGEST_QUOTE)}`,
    )
  return { subnets, networks, mtu, ipMasq: ipMasq === 'true' }
}

/** Later upstream versions write several networks, with commas between; a host has one subnet of a family. */
function readNetworks(
  path: string,
  values: ReadonlyMap<string, Assignment>,
  name: string,
  family: Family,
): readonly Prefix[] {
  const value = values.get(name)?.value ?? ''
  const texts = (name === SUBNET_VARIABLES[family].subnet ? [value] : value.split(',')).filter((text) => text !== '')
  return texts.map((text) => {
    const network = parsePrefix(text.trim())
    if (network?.family === family) return network
    throw invalid(
      path,
      `${name}: expected an IPv${family} network, found ${JSON.stringify(text.slice(0, LONGEST_QUOTE))}`,
    )
  })
}

const invalid = (path: string, details: string): CniError =>
  new CniError(CNI_CODES.decoding, `cannot use ${path}`, details)
