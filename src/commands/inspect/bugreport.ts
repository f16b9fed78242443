import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { redact } from '../../bugreport/redact.ts'
import { tar, type ArchiveFile } from '../../bugreport/tar.ts'
import type { CommandCall } from '../../cli/commands.ts'
import { EXIT } from '../../cli/exit-codes.ts'
import { BUGREPORT, OUTPUT } from '../../cli/specs/bugreport.ts'
import { asking, type Asking, type Said } from '../asking/asking.ts'
import { Progress } from '../asking/terminal.ts'
import { collect } from './report-contents.ts'
import { knownSecrets } from './report-secrets.ts'

/** `flanneld bugreport`. */
export const run = (call: CommandCall): Promise<number> => asking(BUGREPORT, call, report)

async function report(asked: Asking): Promise<Said> {
  const now = new Date()
  const name = `flanneld-bugreport-${fileName(hostname())}-${now.toISOString().replaceAll(/[-:]|\..*/g, '')}`
  const path = resolve(asked.value(OUTPUT) ?? `${name}.tar.gz`)
  const progress = new Progress()
  try {
    const secrets = knownSecrets(asked)
    const files = await collect(asked, (what) => {
      progress.say(`looking at ${what} …`)
    })
    const clean = files.map((file): ArchiveFile => ({ path: `${name}/${file.path}`, text: redact(file.text, secrets) }))
    await writePrivately(path, await promisify(gzip)(tar(clean, now.getTime() / 1_000)))
    progress.end()
    return { text: `${path}\n`, code: EXIT.done }
  } catch (error) {
    progress.end()
    if (!(error instanceof Error) || !('code' in error)) throw error
    asked.complain(`cannot write ${path}: ${error.message}`)
    return { text: '', code: EXIT.failed }
  }
}

/** What a file may be called everywhere. */
const fileName = (text: string): string => text.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, 40)

/** Into a file that was not there, and for nobody but us: whoever puts a link there gets nothing. */
async function writePrivately(path: string, content: Buffer): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}
