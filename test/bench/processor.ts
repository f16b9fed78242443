import { readdirSync, readFileSync } from 'node:fs'

/** Time on a processor of all threads of a process that are there, in milliseconds (proc(5), schedstat). */
export function processorMs(pid: number): number {
  const tasks = `/proc/${pid}/task`
  const nanoseconds = readdirSync(tasks).map((task) =>
    Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]),
  )
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6
}

/** Bytes that a process has for itself alone, as the kernel keeps count of them (proc(5), RssAnon). */
export const anonymousBytes = (pid: number): number => field(`/proc/${pid}/status`, 'RssAnon')

/** The same, counted page by page (proc(5), smaps_rollup). */
export const countedAnonymousBytes = (pid: number): number => field(`/proc/${pid}/smaps_rollup`, 'Anonymous')

export const residentBytes = (pid: number): number => field(`/proc/${pid}/status`, 'VmRSS')

function field(path: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(path, 'utf8'))?.[1]
  if (found === undefined) throw new Error(`there is no ${name} in ${path}`)
  return Number(found) * 1024
}
