import { readFile } from 'node:fs/promises'

/** Where in a line of mountinfo the mount point stands (proc_pid_mountinfo(5)); blanks and backslashes in it are octal there. */
const MOUNT_POINT = 4

const unescaped = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

/** Whether something is mounted at just this path, as container runtimes do it with single files; false where that is not told. */
export async function isMountPoint(path: string): Promise<boolean> {
  const text = await readFile('/proc/self/mountinfo', 'latin1').catch(() => '')
  const wanted = Buffer.from(path).toString('latin1')
  return text.split('\n').some((line) => unescaped(line.split(' ')[MOUNT_POINT] ?? '') === wanted)
}
