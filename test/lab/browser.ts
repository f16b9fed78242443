import { delimiter } from 'node:path'
import { chromium, type Browser } from 'playwright-core'

const { FLANNEL_BROWSER, FLANNEL_BROWSER_LIBRARIES, FLANNEL_BROWSER_FONTS, FLANNEL_NO_BROWSER } = process.env

/** Why no page can be shown here; undefined when one can. */
export const noBrowser: string | undefined =
  FLANNEL_BROWSER === undefined ? (FLANNEL_NO_BROWSER ?? 'run this by npm test, which looks for a browser') : undefined

/**
 * Starts the browser that test/setup/browser.mjs has found, in the namespaces that we are in. It trusts us with what it shows, and has no
 * sandbox of its own: root cannot have one.
 */
export function launchBrowser(): Promise<Browser> {
  if (FLANNEL_BROWSER === undefined) throw new Error(noBrowser)
  const libraries = [FLANNEL_BROWSER_LIBRARIES, process.env['LD_LIBRARY_PATH']].filter(Boolean).join(delimiter)
  return chromium.launch({
    executablePath: FLANNEL_BROWSER,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    env: {
      ...process.env,
      ...(libraries !== '' && { LD_LIBRARY_PATH: libraries }),
      ...(FLANNEL_BROWSER_FONTS !== undefined && { FONTCONFIG_FILE: FLANNEL_BROWSER_FONTS }),
    },
  })
}
