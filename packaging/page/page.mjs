import { build } from 'esbuild'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')
const VIEW = join(ROOT, 'src/page/view')

/** What may end the element that a text is put into, or begin another (WHATWG HTML, 13.2.5.15 and following). */
const CLOSING = /<(?=\/?(?:script|style)|!--)/gi

/** The script of the page, as browsers of the last two years run it. */
async function script() {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [join(VIEW, 'main.ts')],
    bundle: true,
    minify: true,
    format: 'iife',
    platform: 'browser',
    target: ['chrome120', 'firefox121', 'safari17'],
    charset: 'ascii',
    legalComments: 'none',
    tsconfig: join(VIEW, 'tsconfig.json'),
    metafile: true,
    write: false,
  })
  return { text: outputFiles[0].text.trim().replace(CLOSING, '\\x3c'), metafile }
}

async function style() {
  const { outputFiles } = await build({ entryPoints: [join(VIEW, 'page.css')], minify: true, write: false })
  return outputFiles[0].text.trim()
}

/**
 * The page as one file: style and script stand in it, so that nothing else is fetched.
 * @returns {Promise<{ text: string, metafile: import('esbuild').Metafile }>}
 */
export async function buildPage() {
  const [{ text, metafile }, css] = await Promise.all([script(), style()])
  const html = readFileSync(join(VIEW, 'page.html'), 'utf8')
  const filled = html
    .replace('<style></style>', () => `<style>${css}</style>`)
    .replace('<script type="module"></script>', () => `<script type="module">${text}</script>`)
  return { text: filled, metafile }
}
