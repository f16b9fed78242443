import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { NoRegularFileError, readRegularFile } from '../host/files/regular-file.ts'
import { removeFile, removeAbandonedFiles, writeFileAtomically } from '../host/files/atomic-file.ts'
import type { DelegateConfig } from './delegate-config.ts'
import { errnoOf, ioError } from './errors.ts'
import { isObject } from '../config/json.ts'
import { isDeep, isPluginName } from './netconf.ts'

/** One interface of one container in one network: what ADD makes and DEL takes away. */
export interface Attachment {
  readonly containerId: string
  readonly ifname: string
  readonly network: string
}

/** What the delegate was configured with at ADD, and the file that says so. */
export interface SavedConfig {
  readonly path: string
  readonly config: DelegateConfig
}

/** Its owner's alone, as upstream has it: a configuration may hold what is nobody else's business. */
const MODES = { file: 0o600, directory: 0o700 } as const

/** How every runtime names the interface of a container's main network. */
const MAIN_INTERFACE = 'eth0'

/** Stands in no container id and no interface name. */
const SEPARATOR = ':'
const HASH_DIGITS = 16

/**
 * Configurations of delegates from ADD to DEL, which may be an upgrade, a changed configuration or a removed subnet file later.
 *
 * The main interface's is in the file upstream would use, named after the container alone; each plugin can therefore delete what the
 * other has added. Further attachments of the container, which overwrite each other's upstream, have files of their own.
 */
export class SavedConfigs {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** @throws {CniError} 5 */
  async save(attachment: Attachment, config: DelegateConfig): Promise<void> {
    const [main, own] = this.#paths(attachment)
    const taken = await readConfig(main)
    const isFree = taken === undefined || taken === 'damaged' || isOf(taken, attachment.network)
    const path = attachment.ifname === MAIN_INTERFACE && isFree ? main : own
    await writeFileAtomically(path, JSON.stringify(config), MODES).catch((error: unknown) => {
      throw ioError(`save the delegate's configuration as ${path}`, error)
    })
  }

  /** @returns undefined when none was saved, or it cannot be used any more. @throws {CniError} 5 */
  async load(attachment: Attachment): Promise<SavedConfig | undefined> {
    const [main, own] = this.#paths(attachment)
    for (const path of [own, main]) {
      const config = await readConfig(path)
      if (isOf(config, attachment.network)) return { path, config }
    }
    return undefined
  }

  /** Forgets the attachment: the file that was used, and what crashes have left of any. */
  async forget(attachment: Attachment, used: string | undefined): Promise<void> {
    const [main] = this.#paths(attachment)
    const damaged = attachment.ifname === MAIN_INTERFACE && (await readConfig(main)) === 'damaged' ? [main] : []
    for (const path of [...damaged, ...(used === undefined ? [] : [used])]) await remove(path)
    await removeAbandonedFiles(this.#folder)
  }

  /** Forgets all attachments to the network but the `valid` ones. @throws {CniError} 5 */
  async forgetOthers(network: string, valid: readonly Omit<Attachment, 'network'>[]): Promise<void> {
    const kept = new Set(valid.flatMap((attachment) => this.#paths({ ...attachment, network })))
    const names = await readdir(this.#folder).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return []
      throw ioError(`read the folder ${this.#folder}`, error)
    })
    for (const path of names.filter((name) => !name.startsWith('.')).map((name) => join(this.#folder, name))) {
      if (kept.has(path)) continue
      const config = await readConfig(path)
      if (isOf(config, network)) await remove(path)
    }
  }

  /** Upstream's file, and the attachment's own. */
  #paths({ containerId, ifname, network }: Attachment): readonly [main: string, own: string] {
    const key = createHash('sha256').update(`${network}/${ifname}`).digest('hex').slice(0, HASH_DIGITS)
    return [join(this.#folder, containerId), join(this.#folder, `${containerId}${SEPARATOR}${key}`)]
  }
}

async function remove(path: string): Promise<void> {
  await removeFile(path).catch((error: unknown) => {
    throw ioError(`remove ${path}`, error)
  })
}

/** What stands in a file's place; `damaged` is what a crash may have left, `foreign` what nobody can have saved. */
type Found = DelegateConfig | 'damaged' | 'foreign' | undefined

const isOf = (found: Found, network: string): found is DelegateConfig =>
  typeof found === 'object' && found['name'] === network

/** @returns undefined when there is no such file. @throws {CniError} 5 */
async function readConfig(path: string): Promise<Found> {
  try {
    return parseConfig(await readRegularFile(path)) ?? 'damaged'
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    if (error instanceof NoRegularFileError) return 'foreign'
    throw ioError(`read ${path}`, error)
  }
}

function parseConfig(text: string): DelegateConfig | undefined {
  try {
    const config: unknown = JSON.parse(text)
    if (!isObject(config) || isDeep(config) || typeof config['type'] !== 'string' || !isPluginName(config['type']))
      return undefined
    return { ...config, type: config['type'] }
  } catch {
    return undefined
  }
}
