import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { cacheFolder, ROOT, say, setupStep } from './shell.mjs'

const modifiedMs = (path) => statSync(join(ROOT, path), { throwIfNoEntry: false })?.mtimeMs

/** npm keeps its cache below the home folder; where that cannot be written it goes into the checkout. */
export function npmEnvironment() {
  const folder = process.env.npm_config_cache ?? join(homedir(), '.npm')
  try {
    mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.W_OK)
    return process.env
  } catch {
    return { ...process.env, npm_config_cache: cacheFolder('npm') }
  }
}

/** `npm ci` when node_modules is missing or older than the lock file. */
export function ensureDependencies() {
  const installed = modifiedMs('node_modules/.package-lock.json')
  if (installed !== undefined && installed >= modifiedMs('package-lock.json')) return
  say('Installing npm packages …')
  setupStep('npm', ['ci', '--no-audit', '--no-fund'], { env: npmEnvironment() })
}
