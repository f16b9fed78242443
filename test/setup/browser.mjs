import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { CACHE, say, SetupError } from './shell.mjs'
import { onPath, unpackInCheckout } from './tools.mjs'

/** A chromium without windows, and letters for it; 100 MB are fetched. */
const PACKAGES = ['chromium-headless-shell', 'fonts-dejavu-core']
const NAME = 'browser'
const UNPACKED = join(CACHE, NAME)
/** Where Debian's package has it, and what a machine may have already. */
const INSIDE = 'usr/lib/chromium/chromium-headless-shell'
const COMMANDS = ['chromium-headless-shell', 'chromium', 'chromium-browser']

function libraryFolders() {
  const root = join(UNPACKED, 'usr/lib')
  const folders = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.endsWith('-linux-gnu'))
    .map((entry) => join(root, entry.name))
  const nested = folders.flatMap((folder) =>
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name)),
  )
  return [...folders, ...nested]
}

/** On a machine without any, letters would be boxes. */
function fontSettings() {
  const path = join(UNPACKED, 'fonts.conf')
  const folders = [join(UNPACKED, 'usr/share/fonts'), '/usr/share/fonts'].map((folder) => `<dir>${folder}</dir>`)
  const cache = `<cachedir>${join(UNPACKED, 'font-cache')}</cachedir>`
  const families = [
    ...['system-ui', 'sans-serif'].map((family) => [family, 'DejaVu Sans']),
    ...['ui-monospace', 'monospace'].map((family) => [family, 'DejaVu Sans Mono']),
  ].map(
    ([family, font]) =>
      `<alias binding="same"><family>${family}</family><prefer><family>${font}</family></prefer></alias>`,
  )
  const settings = [...folders, cache, ...families].join('')
  writeFileSync(path, `<?xml version="1.0"?><fontconfig>${settings}</fontconfig>\n`)
  return path
}

function useUnpacked() {
  process.env.FLANNEL_BROWSER = join(UNPACKED, INSIDE)
  process.env.FLANNEL_BROWSER_LIBRARIES = libraryFolders().join(delimiter)
  process.env.FLANNEL_BROWSER_FONTS = fontSettings()
}

/** Finds or fetches a browser for the tests of the page. Where none can be had they are skipped, and it is said why. */
export function ensureBrowser() {
  const own = COMMANDS.find(onPath)
  if (own !== undefined) {
    process.env.FLANNEL_BROWSER = own
    return
  }
  try {
    if (!existsSync(join(UNPACKED, INSIDE))) {
      if (!onPath('apt-get')) throw new SetupError('there is no apt-get to fetch chromium with')
      say(`Fetching a browser for the tests of the page: ${PACKAGES.join(' ')} …`)
      unpackInCheckout(PACKAGES, NAME)
    }
    useUnpacked()
  } catch (failure) {
    if (!(failure instanceof SetupError)) throw failure
    say(`The page is not tested in a browser: ${failure.message}`)
    process.env.FLANNEL_NO_BROWSER = failure.message
  }
}
