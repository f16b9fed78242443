import type { Logger } from '../observe/logger.ts'

/**
 * Has SIGHUP taken, which many daemons are sent to have their files read again, and which ends a process that does not take it; and has the
 * signals said that mean nothing here (stop-signal.ts takes them).
 * @param look looks at the files that may have changed; says what is wrong with them
 */
export function takeHangUp(log: Logger, look: () => string | undefined): void {
  process.on('SIGHUP', () => {
    const problem = look()
    if (problem === undefined)
      log.info('SIGHUP: certificates and keys were read again; flags and variables are read at a start alone')
    else log.warn(`SIGHUP: files were read again: ${problem}`)
  })
  for (const name of ['SIGUSR1', 'SIGUSR2'] as const)
    process.on(name, () => {
      log.info(`${name} means nothing to this agent, which goes on`)
    })
}
