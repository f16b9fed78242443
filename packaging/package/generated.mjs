import { build } from 'esbuild'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** Manual page, completions and the commented settings: made of the same table of flags as `flanneld --help`. */
export async function generateTexts(facts) {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['packaging/manual/texts.ts'],
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    write: false,
  })
  const code = Buffer.from(outputFiles[0].contents).toString('base64')
  const { texts } = await import(`data:text/javascript;base64,${code}`)
  return texts(facts)
}
