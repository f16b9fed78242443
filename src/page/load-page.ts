import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { textInside } from '../host/executable.ts'
import { pageFile, type PageFile } from './page-file.ts'

/** Beside the bundle, where packaging/build.mjs puts it; inside the executable under the same name. */
const FILE = 'page.html'

/** There is no page to be served. */
export class NoPageError extends Error {
  override readonly name = 'NoPageError'
}

/** @throws {NoPageError} */
export async function loadPage(): Promise<PageFile> {
  const folder = typeof __dirname === 'string' ? __dirname : undefined
  const inside = textInside(FILE)
  const text = inside ?? (folder && (await readFile(join(folder, FILE), 'utf8').catch(() => undefined)))
  if (text === undefined) throw new NoPageError(`there is no ${FILE} beside the program; npm run build makes both`)
  return pageFile(text)
}
