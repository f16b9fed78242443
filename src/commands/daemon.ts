import { writeFileSync } from 'node:fs'
import type { CommandCall } from '../cli/commands.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { readCommandLine, type Invocation } from '../cli/flanneld.ts'
import { unreadOfOtherStore } from '../cli/kube-access.ts'
import { ignoredKlog, unknownVariables } from '../cli/unknown-variables.ts'
import { describeIgnored } from '../config/endpoints.ts'
import type { Environment } from '../config/environment.ts'
import type { DaemonOptions } from '../config/options.ts'
import { exitAtOnce } from '../native/exit.ts'
import { isStderrTheJournal } from '../observe/journal.ts'
import { EventRing } from '../observe/event-ring.ts'
import { createLogger, type Logger } from '../observe/logger.ts'
import { EVENTS_KEPT } from '../status/document.ts'
import { sendLastWordsTo } from './last-words.ts'
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
  if (invocation.isCheck) {
    remarkOn(invocation, environment, (text) => process.stderr.write(`flanneld: ${text}\n`))
    return EXIT.done
  }
  limitStopping(stopSignal)
  process.on('SIGHUP', () => undefined) // until run-daemon.ts knows which files there are
  nameProcess()
  const events = new EventRing(EVENTS_KEPT, Date.now)
  const log = events.recording(openLog(invocation.options, environment))
  log.info(`flanneld ${version} starts`, { pid: process.pid }, { kind: 'agent-started', version })
  remarkOn(invocation, environment, (text) => {
    log.warn(text)
  })
  const { runDaemon } = await import('./run-daemon.ts')
  const code = await runDaemon(invocation.options, log, { environment, version, stopSignal, events })
  return stopSignal.aborted ? exitAtOnce(code) : code
}

function openLog({ verbosity, logFormat: format }: DaemonOptions, environment: Environment): Logger {
  const log = createLogger({ verbosity, format, isJournal: isStderrTheJournal(environment) })
  if (format === 'json')
    sendLastWordsTo((text) => {
      log.error(text)
    })
  return log
}

/** Says what there is to be said of a command line that is taken. */
function remarkOn(
  { options, klog }: Extract<Invocation, { kind: 'run' }>,
  environment: Environment,
  remark: (text: string) => void,
): void {
  for (const variable of unknownVariables(environment)) remark(variable)
  const ofKlog = ignoredKlog(klog, environment)
  if (ofKlog !== undefined) remark(ofKlog)
  const unread = unreadOfOtherStore(Object.keys(options.given ?? {}), options.kube !== undefined)
  if (unread !== undefined) remark(unread)
  for (const ignored of options.etcd.ignoredPaths ?? []) remark(describeIgnored(ignored))
  const isUnserved = options.healthz === undefined && (options.healthzStatus === true || options.healthzPage === true)
  if (isUnserved) remark('--healthz-status and --healthz-page answer at --healthz-port, which is not given')
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
