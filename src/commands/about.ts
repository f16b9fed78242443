import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { About } from '../cli/flanneld.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { textInside } from '../host/executable.ts'
import { findAddon } from '../native/load.ts'
import { endWithOutput } from './output.ts'

/** Put in by packaging/build.mjs; there is none when the sources run as they are. */
declare const BUILD_COMMIT: string | undefined

/** Beside the bundle, where packaging/build.mjs puts it. */
const LICENCES_FILE = 'THIRD-PARTY-LICENSES.txt'

const OWN_LICENCE = `flannel-agent is licensed under the Apache License, Version 2.0
(https://www.apache.org/licenses/LICENSE-2.0; LICENSE among its sources).
What else is inside has licences of its own:
`

/** Prints what this program is, or under which licences it is, and nothing else of it runs. */
export async function printAbout(about: About, version: string, stopSignal: AbortSignal): Promise<number> {
  const text = about === 'version' ? versionText(version) : await licencesText()
  if (text !== undefined) return endWithOutput(text, EXIT.done, stopSignal)
  process.stderr.write(`flanneld: there is no ${LICENCES_FILE} beside the program; npm run build makes both\n`)
  return EXIT.failed
}

/** How the kernel shows the addon inside the executable (memfd_create(2)). */
const IN_MEMORY = '/memfd:'

/** The first line is for scripts, and stays as it is. */
const versionText = (version: string): string => `flanneld (flannel-agent) ${version}
commit ${typeof BUILD_COMMIT === 'string' ? BUILD_COMMIT : 'unknown'}
Node.js ${process.version} on ${process.platform}-${process.arch}
netlink addon ${addonPlace()}
`

function addonPlace(): string {
  try {
    const { path } = findAddon()
    return path.startsWith(IN_MEMORY) ? 'inside' : path
  } catch (error) {
    return `missing: ${error instanceof Error ? error.message : String(error)}`
  }
}

async function licencesText(): Promise<string | undefined> {
  const folder = typeof __dirname === 'string' ? __dirname : undefined
  const inside = textInside('licenses')
  const others = inside ?? (folder && (await readFile(join(folder, LICENCES_FILE), 'utf8').catch(() => undefined)))
  return others && `${OWN_LICENCE}\n${others}`
}
