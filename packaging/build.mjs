// npm run build: the daemon as one CommonJS file with its netlink addon beside it, needing nothing but Node.
//
//   dist/flanneld.cjs               not minified: a crash shows the line, not the whole source
//   dist/netlink.node               the addon for this architecture
//   dist/THIRD-PARTY-LICENSES.txt   of the packages inside
//
//   node packaging/build.mjs [entry [folder]]   another program than src/main.ts, into another folder than dist
import { build } from 'esbuild'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { etcd3Protos } from './bundle/etcd3-protos.mjs'
import { thirdPartyLicences } from './bundle/licenses.mjs'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const NATIVE = join(ROOT, 'src/netlink/native')
const ADDONS = ['build/Release', `prebuilds/linux-${process.arch}`].map((place) => join(NATIVE, place, 'netlink.node'))

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

/**
 * Keeps V8's young generation at its first size. It would grow with the first list of leases and never shrink: 12 MB of resident
 * memory with 10 000 of them, to save scavenges that an idle daemon does not have.
 */
const SMALL_YOUNG_GENERATION = `require('node:v8').setFlagsFromString('--semi-space-growth-factor=1')`

async function bundle(entry) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile: 'dist/flanneld.cjs',
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    banner: { js: `#!/usr/bin/env node\n${SMALL_YOUNG_GENERATION}` },
    legalComments: 'none',
    logOverride: { 'empty-import-meta': 'silent' },
    plugins: [etcd3Protos, ownVersion],
    metafile: true,
    write: false,
  })
  return { text: outputFiles[0].text, metafile }
}

/** Whoever runs the old file keeps it whole. */
function replaceFile(path, write) {
  const fresh = `${path}.${process.pid}`
  write(fresh)
  renameSync(fresh, path)
}

async function main(entry = 'src/main.ts', folder = join(ROOT, 'dist')) {
  const addon = ADDONS.find(existsSync)
  if (addon === undefined) throw new Error('there is no netlink addon: run node packaging/addon.mjs')
  const { text, metafile } = await bundle(entry)
  const licences = thirdPartyLicences(ROOT, metafile)
  mkdirSync(folder, { recursive: true })
  replaceFile(join(folder, 'netlink.node'), (path) => copyFileSync(addon, path))
  replaceFile(join(folder, 'THIRD-PARTY-LICENSES.txt'), (path) => writeFileSync(path, licences))
  replaceFile(join(folder, 'flanneld.cjs'), (path) => writeFileSync(path, text, { mode: 0o755 }))
  console.log(`${join(folder, 'flanneld.cjs')}: ${Math.round(text.length / 1024)} KiB`)
}

await main(...process.argv.slice(2))
