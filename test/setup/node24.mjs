import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { npmEnvironment } from './dependencies.mjs'
import { cacheFolder, say, setupStep } from './shell.mjs'

/** The second Node that everything is tested on; a package of the npm registry with nothing but the official binary in it. */
const VERSION = '24.9.0'

export const runsNode24 = () => process.versions.node.startsWith('24.')

/** Path of a Node 24 binary. Not a dev dependency: its `bin` would shadow the machine's node in every npm script. */
export function ensureNode24() {
  const name = `node-linux-${process.arch}`
  const folder = cacheFolder('node24')
  const binary = join(folder, 'node_modules', name, 'bin', 'node')
  if (existsSync(binary)) return binary
  say(`Fetching Node ${VERSION} …`)
  const args = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', `${name}@${VERSION}`]
  setupStep('npm', args, { env: npmEnvironment() })
  return binary
}
