import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Name of a kernel setting in parts, since one of them may hold a dot: `net ipv6 conf flannel.100 accept_ra`. */
export type SettingName = readonly string[]

/** As sysctl(8) takes it: dots of a part become slashes. */
export const spelled = (name: SettingName): string => name.map((part) => part.replaceAll('.', '/')).join('.')

/**
 * Makes a kernel setting so (sysctl(8)). Nothing is written where it says so already.
 * @throws the file system's own error; ENOENT where the kernel has no such setting, as without IPv6
 */
export async function setSysctl(name: SettingName, value: string, root = '/proc/sys'): Promise<void> {
  const path = join(root, ...name)
  if ((await readFile(path, 'utf8')).trim() !== value) await writeFile(path, value)
}

/** Undefined where the kernel has no such setting. @throws the file system's own error */
export async function readSysctl(name: SettingName, root = '/proc/sys'): Promise<string | undefined> {
  try {
    return (await readFile(join(root, ...name), 'utf8')).trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
