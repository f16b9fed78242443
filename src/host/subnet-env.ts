import { watch } from 'node:fs'
import { dirname } from 'node:path'
import { gatewayOf, type OverlayNetwork } from '../config/network.ts'
import type { Family } from '../net/ip.ts'
import { parsePrefix, type Prefix } from '../net/prefix.ts'
import { readRegularFile } from './files/regular-file.ts'

/** What Docker, CNI and systemd units read. */
export interface SubnetEnv {
  /** Our subnets with the overlay each belongs to, IPv4 before IPv6. */
  readonly subnets: readonly { readonly overlay: OverlayNetwork; readonly subnet: Prefix }[]
  /** Octets, of the overlay device. */
  readonly mtu: number
  readonly ipMasq: boolean
}

/** Variables that hold networks. */
export const SUBNET_VARIABLES: Readonly<Record<Family, { readonly network: string; readonly subnet: string }>> = {
  4: { network: 'FLANNEL_NETWORK', subnet: 'FLANNEL_SUBNET' },
  6: { network: 'FLANNEL_IPV6_NETWORK', subnet: 'FLANNEL_IPV6_SUBNET' },
}

/** FLANNEL_SUBNET carries the first usable address, which the container bridge takes. */
export function renderSubnetEnv(env: SubnetEnv): string {
  const lines = env.subnets.flatMap(({ overlay, subnet }) => [
    `${SUBNET_VARIABLES[overlay.family].network}=${overlay.network.text}`,
    `${SUBNET_VARIABLES[overlay.family].subnet}=${gatewayOf(subnet).text}/${subnet.length}`,
  ])
  return [...lines, `FLANNEL_MTU=${env.mtu}`, `FLANNEL_IPMASQ=${env.ipMasq}`, ''].join('\n')
}

/** Subnets named in a subnet file, as far as they can be read; other lines are ignored. */
export function parseSubnets(text: string): readonly Prefix[] {
  const values = readAssignments(text)
  return ([4, 6] as const).flatMap((family) => {
    const subnet = parsePrefix(values.get(SUBNET_VARIABLES[family].subnet)?.value ?? '')
    return subnet?.family === family ? [subnet] : []
  })
}

/** Networks named in a subnet file with the length of their subnets in bits, as far as they can be read. */
export function parseNetworks(text: string): readonly { readonly network: Prefix; readonly subnetLength: number }[] {
  const values = readAssignments(text)
  return parseSubnets(text).flatMap(({ family, length }) => {
    const network = parsePrefix(values.get(SUBNET_VARIABLES[family].network)?.value ?? '')
    return network?.family === family ? [{ network, subnetLength: length }] : []
  })
}

/** Whether the text can be a subnet file, of upstream's or ours: such a file says nothing but FLANNEL_ variables. */
export const isSubnetEnv = (text: string): boolean => /^(?:FLANNEL_[A-Z0-9_]+=[^\n]*(?:\n|$))+$/.test(text)

/** One variable of a file of assignments, such as the subnet file. */
export interface Assignment {
  /** With quotes taken off. */
  readonly value: string
  /** Of the file, counted from 1. */
  readonly line: number
}

/**
 * How much a reader takes for an assignment. `plain`: what flanneld and upstream write, `NAME=value`; whatever else stands there is
 * ignored. `shell`: what a shell would read as well, `export NAME=value`, comments and blank lines; `refuse` is handed any other line,
 * and throws. The CNI plugin and the agent read plainly: they look for variables that upstream's plugin would find. docker-opts reads as
 * the shell script does that it stands in for, and says what the shell could not have read.
 */
export type Dialect =
  { readonly takes: 'plain' } | { readonly takes: 'shell'; readonly refuse: (line: number, text: string) => never }

/** Variables by name; of one that is set twice the last. @throws whatever `refuse` does */
export function readAssignments(text: string, dialect: Dialect = { takes: 'plain' }): ReadonlyMap<string, Assignment> {
  const variables = new Map<string, Assignment>()
  for (const [at, untrimmed] of text.split('\n').entries()) {
    const [line, trimmed] = [at + 1, untrimmed.trim()]
    const assignment = dialect.takes === 'plain' ? splitPlain(trimmed) : splitShell(trimmed)
    if (assignment === undefined && dialect.takes === 'shell' && !isSilent(trimmed)) dialect.refuse(line, trimmed)
    if (assignment !== undefined) variables.set(assignment.name, { value: unquoted(assignment.value), line })
  }
  return variables
}

interface Split {
  readonly name: string
  readonly value: string
}

function splitPlain(line: string): Split {
  const [name = '', ...value] = line.split('=')
  return { name, value: value.join('=') }
}

function splitShell(line: string): Split | undefined {
  const [, name, value = ''] = /^(?:export\s+)?([A-Za-z_]\w*)=([^]*)$/.exec(line) ?? []
  return name === undefined ? undefined : { name, value }
}

const isSilent = (line: string): boolean => line === '' || line.startsWith('#')

const unquoted = (value: string): string => value.replace(/^(["'])(.*)\1$/, '$2')

/** The previous run's subnets; none when there is no file or it cannot be read. */
export const readPreviousSubnets = (path: string): Promise<readonly Prefix[]> =>
  readRegularFile(path).then(parseSubnets, () => [])

/** Whether the file says exactly this; false when it is not there or cannot be read. */
export const fileSays = (path: string, text: string): Promise<boolean> =>
  readRegularFile(path).then(
    (found) => found === text,
    () => false,
  )

/**
 * Calls `onChange` when something happens to the file or beside it. May miss something, and misses everything where it cannot watch.
 * @returns how to stop
 */
export function watchFile(path: string, onChange: () => void): () => void {
  try {
    const watcher = watch(dirname(path), { persistent: false }, onChange)
    watcher.on('error', () => {
      watcher.close()
    })
    return () => {
      watcher.close()
    }
  } catch {
    return () => undefined
  }
}
