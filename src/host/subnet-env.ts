import { randomUUID } from 'node:crypto'
import { watch } from 'node:fs'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { gatewayOf, type OverlayNetwork } from '../config/network.ts'
import type { Family } from '../net/ip.ts'
import { parsePrefix, type Prefix } from '../net/prefix.ts'
import { NoRegularFileError, obstacleAt, readRegularFile } from './regular-file.ts'

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

/** Permissions of a file, and of its directory when that has to be made. */
export interface FileModes {
  readonly file: number
  readonly directory: number
}

const PUBLIC: FileModes = { file: 0o644, directory: 0o755 }

/**
 * Puts `text` at `path` so that a reader sees either the old file or the whole new one, also after a power cut: written aside,
 * flushed, renamed. Missing directories are made.
 * @throws the file system's own error, {NoRegularFileError} for what must not be replaced; nothing is left behind then
 */
export async function writeFileAtomically(path: string, text: string, modes: FileModes = PUBLIC): Promise<void> {
  const directory = dirname(path)
  const obstacle = await obstacleAt(path)
  if (obstacle !== undefined) throw new NoRegularFileError(path, obstacle)
  await makeDirectory(directory, modes.directory)
  const aside = join(directory, `.${basename(path)}.${randomUUID()}.tmp`)
  try {
    const file = await open(aside, 'wx', modes.file)
    try {
      await file.chmod(modes.file)
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(aside, path)
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined) // what went wrong first is what matters
    throw error
  }
}

/**
 * As `mkdir -p`. Node's own `recursive` calls a read-only file system "no such file or directory", and tries for ever where the kernel
 * says that below a directory that stands, as in /proc.
 */
async function makeDirectory(path: string, mode: number): Promise<void> {
  const parent = dirname(path)
  let failure = await failureToMake(path, mode)
  if (failure !== undefined && codeOf(failure) === 'ENOENT' && parent !== path) {
    await makeDirectory(parent, mode)
    failure = await failureToMake(path, mode)
  }
  if (failure !== undefined) throw failure
}

/** Undefined when it is made, or something of that name stands there. */
async function failureToMake(path: string, mode: number): Promise<Error | undefined> {
  try {
    await mkdir(path, { mode })
    return undefined
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return codeOf(error) === 'EEXIST' ? undefined : error
  }
}

const codeOf = (error: Error): unknown => ('code' in error ? error.code : undefined)

/** Length of a UUID in text (RFC 9562 §4). */
const UUID_LENGTH = 36

/** Paths of what {@link writeFileAtomically} left beside `path` when it was killed; none where the directory cannot be read. */
export async function findTemporaryFiles(path: string): Promise<readonly string[]> {
  const [start, end] = [`.${basename(path)}.`, '.tmp']
  const isTemporary = (name: string): boolean =>
    name.startsWith(start) && name.endsWith(end) && name.length === start.length + UUID_LENGTH + end.length
  const names = await readdir(dirname(path)).catch(() => [])
  return names.filter(isTemporary).map((name) => join(dirname(path), name))
}

/** Removes what {@link findTemporaryFiles} finds. Whatever cannot be removed stays. */
export async function removeTemporaryFiles(path: string): Promise<void> {
  for (const file of await findTemporaryFiles(path)) await removeFile(file).catch(() => undefined)
}

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

/** Removes the file; there being none is success. @throws the file system's own error */
export const removeFile = (path: string): Promise<void> => rm(path, { force: true })
