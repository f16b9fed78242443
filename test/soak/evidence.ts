import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Lab } from '../lab/index.ts'

/** Where things outlive the laboratory. */
export const KEPT_BELOW = fileURLToPath(new URL('../../.cache/test/', import.meta.url))

/** Keeps everybody's log, and what was done to them, outside of the laboratory. @returns the folder */
export async function keepEvidence(lab: Lab, name: string, history: readonly string[], more: string): Promise<string> {
  const folder = join(KEPT_BELOW, name)
  await mkdir(folder, { recursive: true })
  const logs = lab.hosts.map(async ({ name: host, agent }) => [`${host}.log`, await agent.log()] as const)
  const files = [
    ...(await Promise.all(logs)),
    ['etcd.log', lab.etcd.member.log()],
    ['faults.log', `${history.join('\n')}\n`],
    ['result.txt', `${more}\n`],
  ] as const
  await Promise.all(files.map(([file, text]) => writeFile(join(folder, file), text)))
  return folder
}
