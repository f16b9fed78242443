import { build } from 'esbuild'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sourceCommit } from './commit.mjs'
import { etcd3Protos } from './etcd3-protos.mjs'
import { knownAddresses, leftOut } from './left-out.mjs'
import { BANNER } from './old-node.mjs'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** The program knows its name and version, not its development dependencies. */
const ownVersion = {
  name: 'own-version',
  setup({ onLoad }) {
    onLoad({ filter: /package\.json$/ }, ({ path }) => {
      if (path !== join(ROOT, 'package.json')) return undefined
      const { name, version } = JSON.parse(readFileSync(path, 'utf8'))
      return { contents: JSON.stringify({ name, version }), loader: 'json' }
    })
  },
}

/** V8 keeps text with one character outside Latin-1 as two bytes each. esbuild leaves such characters in comments alone. */
export const inAscii = (text) =>
  text.replaceAll(/[^\0-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** What every bundle of ours is built with. */
export const BUNDLING = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  legalComments: 'none',
  logOverride: { 'empty-import-meta': 'silent' },
  plugins: [etcd3Protos, leftOut, knownAddresses, ownVersion],
  define: { BUILD_COMMIT: JSON.stringify(sourceCommit(ROOT)) },
  metafile: true,
  write: false,
}

/** The program and all that it imports in one text. */
export async function bundle(entry) {
  const { outputFiles, metafile } = await build({
    ...BUNDLING,
    entryPoints: [entry],
    outfile: 'dist/flanneld.cjs',
    target: 'node20',
    banner: { js: BANNER },
  })
  return { text: inAscii(outputFiles[0].text), metafile }
}
