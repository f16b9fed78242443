import { ConfigError } from '../config/error.ts'
import { isObject, parseJsonObject, type JsonFields, type JsonObject } from '../config/json.ts'
import { CNI_CODES, CniError } from './errors.ts'

/** The network configuration of the `flannel` plugin: what the runtime gives on standard input. */
export interface FlannelNetConf {
  /** Empty when absent. */
  readonly cniVersion: string
  readonly name: string
  readonly subnetFile: string
  /** Folder that keeps what the delegate was configured with, per container. */
  readonly dataDir: string
  /** The delegate's configuration as far as the operator gives it. */
  readonly delegate: JsonObject
  /** Address management to be completed. */
  readonly ipam: JsonObject
  readonly runtimeConfig: JsonObject | undefined
  readonly prevResult: JsonObject | undefined
  /** `cni.dev/valid-attachments`, with GC. */
  readonly validAttachments: unknown
}

/** Where things are unless the configuration says otherwise. */
export interface Defaults {
  readonly subnetFile: string
  readonly dataDir: string
}

export const DEFAULTS: Defaults = { subnetFile: '/run/flannel/subnet.env', dataDir: '/var/lib/cni/flannel' }

/** Key of the GC command in the network configuration (CNI specification 1.1). */
export const VALID_ATTACHMENTS = 'cni.dev/valid-attachments'

const NETWORK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/

/** @throws {CniError} 6 when the text is no JSON object */
export function decodeNetConf(text: string): JsonFields {
  try {
    return parseJsonObject('network configuration', text)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new CniError(CNI_CODES.decoding, 'cannot read the network configuration on standard input', error.message)
  }
}

/** The version in a configuration that need not be right otherwise. */
export function cniVersionOf(fields: JsonFields): string {
  const version = fields.raw('cniVersion')
  return typeof version === 'string' ? version : ''
}

/** @throws {CniError} 7 naming the field, what was expected and what was found */
export function readNetConf(fields: JsonFields, defaults: Defaults): FlannelNetConf {
  try {
    const netConf = {
      cniVersion: fields.string('cniVersion') ?? '',
      name: readName(fields),
      subnetFile: readPath(fields, 'subnetFile') ?? defaults.subnetFile,
      dataDir: readPath(fields, 'dataDir') ?? defaults.dataDir,
      delegate: readObject(fields, 'delegate') ?? {},
      ipam: readObject(fields, 'ipam') ?? {},
      runtimeConfig: readObject(fields, 'runtimeConfig'),
      prevResult: readObject(fields, 'prevResult'),
      validAttachments: readShallow(fields, VALID_ATTACHMENTS),
    }
    checkDelegate(netConf.delegate)
    checkIpam(netConf.ipam)
    return netConf
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new CniError(CNI_CODES.invalidConfig, 'invalid network configuration', error.message)
  }
}

function readName(fields: JsonFields): string {
  const name = fields.string('name')
  if (name !== undefined && NETWORK_NAME.test(name)) return name
  throw new ConfigError('name', 'letters, digits, ".", "_" and "-", the first one a letter or digit', name)
}

function readPath(fields: JsonFields, name: string): string | undefined {
  const path = fields.string(name)
  if (path === undefined || (path !== '' && !path.includes('\0'))) return path
  throw new ConfigError(name, 'a path', path)
}

function readObject(fields: JsonFields, name: string): JsonObject | undefined {
  const value = readShallow(fields, name)
  if (value === undefined || isObject(value)) return value
  throw new ConfigError(name, 'a JSON object', value)
}

/** A delegate is handed what we read, and JSON.stringify runs out of stack where JSON.parse does not. */
function readShallow(fields: JsonFields, name: string): unknown {
  const value = fields.raw(name)
  if (!isDeep(value)) return value
  throw new ConfigError(name, `JSON of at most ${MOST_LEVELS} levels`, value)
}

/** Far more than any plugin's configuration has, far less than fills a stack. */
const MOST_LEVELS = 500

/** Whether objects and arrays stand in each other too often to be written as JSON. */
export function isDeep(value: unknown): boolean {
  let level: readonly unknown[] = [value]
  for (let depth = 0; depth <= MOST_LEVELS && level.length > 0; depth++)
    level = level.flatMap((each): unknown[] => (typeof each === 'object' && each !== null ? Object.values(each) : []))
  return level.length > 0
}

/** The delegate is to read what we set, in whatever case it would find another spelling. */
function checkDelegate(delegate: JsonObject): void {
  for (const preset of Object.keys(delegate))
    if (['name', 'ipam'].includes(preset.toLowerCase()))
      throw new ConfigError(`delegate.${preset}`, 'nothing: it is set by flannel', delegate[preset])
  const { type } = delegate
  if (type !== undefined && (typeof type !== 'string' || !isPluginName(type)))
    throw new ConfigError('delegate.type', 'the name of a plugin, other than flannel', type)
}

function checkIpam({ type, routes }: JsonObject): void {
  if (type !== undefined && typeof type !== 'string') throw new ConfigError('ipam.type', 'the name of a plugin', type)
  if (routes === undefined || routes === null) return
  if (!Array.isArray(routes) || !routes.every(isObject))
    throw new ConfigError('ipam.routes', 'an array of routes, such as [{"dst": "192.168.0.0/16"}]', routes)
}

/** A plain file name; and not ourselves. */
export const isPluginName = (name: string): boolean =>
  name !== '' && name !== '.' && name !== '..' && name !== 'flannel' && !/[/\0]/.test(name)
