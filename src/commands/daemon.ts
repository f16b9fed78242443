import { writeFileSync } from 'node:fs'
import type { CommandCall } from '../cli/commands.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { readCommandLine } from '../cli/flanneld.ts'
import { unknownVariables } from '../cli/unknown-variables.ts'
import { describeIgnored } from '../config/endpoints.ts'
import { exitAtOnce } from '../native/exit.ts'
import { createLogger } from '../observe/logger.ts'
import { endWithOutput } from './output.ts'

/**
 * Asked to stop, the process is gone after this long whatever happens, in milliseconds. The orderly way takes some ten; a supervisor
 * gives a second at least.
 */
const STOP_WITHIN_MS = 700

/**
 * `flanneld` itself: runs until it is asked to stop. What takes long to load, etcd's client before all, is loaded after the first line of
 * the log.
 */
export async function run({ args, environment, version, stopSignal }: CommandCall): Promise<number> {
  const invocation = readCommandLine(args, environment)
  if (invocation.kind === 'print') return endWithOutput(invocation.text, EXIT.done, stopSignal)
  if (invocation.kind === 'about') {
    const { printAbout } = await import('./about.ts')
    return printAbout(invocation.about, version, stopSignal)
  }
  limitStopping(stopSignal)
  nameProcess()
  const log = createLogger(invocation.options.verbosity)
  log.info(`flanneld ${version} starts`, { pid: process.pid })
  for (const variable of unknownVariables(environment)) log.warn(variable)
  for (const ignored of invocation.options.etcd.ignoredPaths ?? []) log.warn(describeIgnored(ignored))
  const { runDaemon } = await import('./run-daemon.ts')
  const code = await runDaemon(invocation.options, log, { environment, version, stopSignal })
  return stopSignal.aborted ? exitAtOnce(code) : code
}

function limitStopping(stopSignal: AbortSignal): void {
  const limit = (): void => {
    setTimeout(() => exitAtOnce(EXIT.done), STOP_WITHIN_MS).unref()
  }
  if (stopSignal.aborted) limit()
  else stopSignal.addEventListener('abort', limit)
}

/**
 * Node calls it "MainThread", where pgrep, top and the kernel's log look for its name. `process.title` would overwrite the arguments, which
 * ps shows.
 */
function nameProcess(): void {
  try {
    writeFileSync('/proc/self/comm', 'flanneld')
  } catch {
    // Without /proc nobody looks for it there.
  }
}
