import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Makes a kernel setting so (sysctl(8)). Names are given in parts, since one of them may hold a dot: `net ipv6 conf flannel.100 accept_ra`.
 * Nothing is written where it says so already.
 * @throws the file system's own error; ENOENT where the kernel has no such setting, as without IPv6
 */
export async function setSysctl(name: readonly string[], value: string, root = '/proc/sys'): Promise<void> {
  const path = join(root, ...name)
  if ((await readFile(path, 'utf8')).trim() !== value) await writeFile(path, value)
}
