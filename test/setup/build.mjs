import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { npmEnvironment } from './dependencies.mjs'
import { ROOT, say, setupStep } from './shell.mjs'

const INPUTS = ['src', 'packaging', 'package.json', 'package-lock.json']
const OUTPUTS = ['dist/flanneld.cjs', 'dist/flanneld']

function newestMs(path) {
  const entry = statSync(path, { throwIfNoEntry: false })
  if (!entry?.isDirectory()) return entry?.mtimeMs ?? 0
  return Math.max(0, ...readdirSync(path).map((name) => newestMs(join(path, name))))
}

/** `npm run build` when a source is newer than what was built. */
export function ensureBuilt() {
  const built = Math.min(...OUTPUTS.map((output) => newestMs(join(ROOT, output))))
  if (built > 0 && INPUTS.every((input) => newestMs(join(ROOT, input)) <= built)) return
  say('Building the agent …')
  setupStep('npm', ['run', '--silent', 'build'], { env: npmEnvironment() })
}
