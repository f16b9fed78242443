import { createReadStream, statSync } from 'node:fs'
import { createGzip } from 'node:zlib'
import { figureOf, type Figure } from './figure.ts'
import { BUNDLE, EXECUTABLE } from './programs.ts'
import type { Row } from './row.ts'

const NAME = 'size'

async function gzippedBytes(path: string): Promise<number> {
  let bytes = 0
  for await (const chunk of createReadStream(path).pipe(createGzip({ level: 9 }))) bytes += (chunk as Buffer).length
  return bytes
}

async function sizesOf(what: string, path: string, isQuick: boolean): Promise<readonly Figure[]> {
  const figure = (name: string, bytes: number): Figure =>
    figureOf({ row: NAME, what: name, unit: 'MB', values: [bytes / 1e6] })
  const whole = figure(what, statSync(path).size)
  return isQuick ? [whole] : [whole, figure(`${what} by gzip -9`, await gzippedBytes(path))]
}

export const sizes: Row = {
  name: NAME,
  what: 'what is installed',
  run: async ({ options: { isQuick } }) => [
    ...(await sizesOf('dist/flanneld', EXECUTABLE, isQuick)),
    ...(await sizesOf('dist/flanneld.cjs', BUNDLE, isQuick)),
  ],
}
