import { readFileSync } from 'node:fs'
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

/**
 * Undefined where the kernel has no such setting. It is read at once, since the kernel has it at hand: by way of other threads, as files are, it
 * takes ten times as much of a processor, every few seconds.
 * @throws the file system's own error
 */
export const readSysctl = (name: SettingName, root = '/proc/sys'): Promise<string | undefined> =>
  new Promise((resolve) => {
    resolve(readNow(join(root, ...name)))
  })

function readNow(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
