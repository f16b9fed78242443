import { access, constants, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { copyFileAtomically } from '../../host/files/atomic-copy.ts'
import { removeAbandonedFiles, writeFileAtomically } from '../../host/files/atomic-file.ts'
import { readRegularFile } from '../../host/files/regular-file.ts'
import { namesBefore, readPluginList } from './list.ts'

/** What is to be put where. */
export interface Installation {
  /** The executable that is the plugin. */
  readonly plugin: string
  /** Where container runtimes look for plugins. */
  readonly binDir: string
  readonly list: ListInstallation | undefined
}

export interface ListInstallation {
  readonly source: string
  /** Path of the file that runtimes are to read. */
  readonly target: string
}

/** What was done, and what keeps containers from getting a network all the same. */
export interface Installed {
  readonly done: readonly string[]
  readonly warnings: readonly string[]
}

const EXECUTABLE_MODE = 0o755

/**
 * The plugin first, for the list is what makes runtimes call it. Each is replaced as a whole, and left alone where it says the same.
 * @throws {ConfigError} for a list that no runtime would take, before anything is written; the file system's own error
 */
export async function installCni({ plugin, binDir, list }: Installation): Promise<Installed> {
  const text = list === undefined ? '' : await readRegularFile(list.source)
  const needs = list === undefined ? [] : readPluginList(list.source, text).needs
  const target = join(binDir, 'flannel')
  await removeAbandonedFiles(binDir)
  const isCopied = await copyFileAtomically(plugin, target, EXECUTABLE_MODE)
  const done = [isCopied ? `${target} written` : `${target} is what it should be`]
  const warnings = await missingPlugins(needs, binDir)
  if (list === undefined) return { done, warnings }
  await removeAbandonedFiles(dirname(list.target))
  return {
    done: [...done, await putList(text, list)],
    warnings: [...warnings, ...(await listsBefore(list.target))],
  }
}

async function putList(text: string, { target }: ListInstallation): Promise<string> {
  const former = await readRegularFile(target).catch(() => undefined)
  if (former === text) return `${target} is what it should be`
  await writeFileAtomically(target, text)
  return `${target} written`
}

async function missingPlugins(needs: readonly string[], binDir: string): Promise<readonly string[]> {
  const missing: string[] = []
  for (const name of needs) if (!(await isExecutable(join(binDir, name)))) missing.push(name)
  if (missing.length === 0) return []
  return [
    `${missing.join(', ')} not found in ${binDir}: containers get no network until the reference plugins are there (Debian: containernetworking-plugins; or another folder that the runtime looks into)`,
  ]
}

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )

async function listsBefore(target: string): Promise<readonly string[]> {
  const names = await readdir(dirname(target)).catch(() => [])
  const before = namesBefore(basename(target), names)
  if (before.length === 0) return []
  const files = before.map((name) => join(dirname(target), name)).join(', ')
  return [`container runtimes take the first list by name: ${files} before ${target}; remove what is not meant`]
}
