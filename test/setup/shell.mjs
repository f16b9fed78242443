import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout, and the folder in it for everything fetched or measured (ignored by git). */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
export const CACHE = join(ROOT, '.cache')

/** A failure to report in one paragraph, without a stack. */
export class SetupError extends Error {
  name = 'SetupError'
}

/** Progress goes to standard error: standard output belongs to the results. */
export const say = (text) => process.stderr.write(`${text}\n`)

export function cacheFolder(name) {
  const folder = join(CACHE, name)
  mkdirSync(folder, { recursive: true })
  return folder
}

const running = new Set()

/**
 * Runs a command to its end and gives its exit code (128 + signal when it was killed). Nothing is read from standard input.
 * With `log`, a file descriptor, both outputs go there.
 */
export function run(command, args, { log = 'inherit' } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', log, log] })
    running.add(child)
    child.once('error', (error) => reject(new SetupError(`cannot run ${command}: ${error.message}`)))
    child.once('close', (code, signal) => {
      running.delete(child)
      resolve(code ?? 128 + constants.signals[signal])
    })
  })
}

/** Like {@link run} with standard output sent to standard error; a failure is a SetupError. */
export function setupStep(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2], ...options })
  if (error) throw new SetupError(`cannot run ${command}: ${error.message}`)
  if (status !== 0) throw new SetupError(`${command} ${args.join(' ')} failed with exit code ${status}`)
}

/** Standard output of a command, or undefined when it fails. */
export function output(command, args, options = {}) {
  const { status, stdout } = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    ...options,
  })
  return status === 0 ? stdout : undefined
}

/** Takes every child along when this process is asked to stop, or when whoever started it is gone without a word. */
export function stopWithChildren() {
  const stop = (signal) => {
    for (const child of running) child.kill('SIGKILL')
    process.exit(128 + constants.signals[signal])
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, stop)
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && stop('SIGHUP'), 500).unref()
}
