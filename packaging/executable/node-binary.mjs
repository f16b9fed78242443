// The Node that is inside the executable, and the second one that everything is tested on: the official binary, out of the npm registry.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const NODE_VERSION = '24.22.3'

/** Of the packages' archives, as the registry names them. */
const INTEGRITY = {
  x64: 'sha512-KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==',
  arm64: 'sha512-IZx0J52/1NDwAsY2iyWR9nlPIYuYviTWetjj8+ElvYQh2+XRhLfCfkbFEF/2O5vGI2hcUbyPNHV+nz342FbJXw==',
}

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')

/**
 * Folder of a Node binary (`bin/node`, `LICENSE`) for an architecture as Node names it; fetched once. Not a dependency of the package: its
 * `bin` would stand before the machine's node in every npm script.
 * @param options for npm: its environment
 * @throws {Error} when it cannot be had, or is not what it should be
 */
export function nodeBinary(arch = process.arch, options = {}) {
  const cache = join(ROOT, '.cache/node')
  const folder = join(cache, `${NODE_VERSION}-${arch}`)
  if (existsSync(folder)) return folder
  if (!Object.hasOwn(INTEGRITY, arch)) throw new Error(`there is no Node ${NODE_VERSION} for ${arch} in this build`)
  mkdirSync(cache, { recursive: true })
  const fresh = mkdtempSync(join(cache, 'fetching-'))
  try {
    run('npm', ['pack', '--silent', '--pack-destination', fresh, `node-linux-${arch}@${NODE_VERSION}`], options)
    const archive = join(fresh, `node-linux-${arch}-${NODE_VERSION}.tgz`)
    verify(archive, INTEGRITY[arch])
    run('tar', ['-xzf', archive, '-C', fresh, '--no-same-owner', 'package/bin', 'package/LICENSE'], options)
    renameSync(join(fresh, 'package'), folder)
  } catch (error) {
    if (!existsSync(folder)) throw error // somebody else may have been faster
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
  return folder
}

function verify(archive, expected) {
  const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
  if (found !== expected) throw new Error(`${archive}: expected ${expected}, found ${found}`)
}

function run(command, args, options) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2], cwd: ROOT, ...options })
  if (error) throw new Error(`cannot run ${command}: ${error.message}`)
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed with exit code ${status}`)
}
