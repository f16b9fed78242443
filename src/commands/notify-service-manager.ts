import { systemClock } from '../host/system-clock.ts'
import type { AgentStatus } from '../agent/runtime/status.ts'
import { ServiceManagerTask } from '../agent/runtime/service-manager.ts'
import type { Task } from '../agent/runtime/task.ts'
import { findServiceManager, notifier } from '../host/sd-notify.ts'
import { sendDatagram } from '../native/unix-datagram.ts'
import type { Logger } from '../observe/logger.ts'

/** What keeps the service manager that started us informed, if there is one. */
export function notifyServiceManager(
  environment: Readonly<Record<string, string | undefined>>,
  status: AgentStatus,
  log: Logger,
  stopSignal: AbortSignal,
): readonly Task[] {
  const found = findServiceManager(environment, process.pid)
  if (typeof found === 'string') log.warn(`the service manager is not told how we are: ${found}`)
  if (found === undefined || typeof found === 'string') return []
  const tell = notifier(found, sendDatagram, (text) => {
    log.warn(text)
  })
  stopSignal.addEventListener('abort', () => tell({ STOPPING: '1', STATUS: `stopping${status.parting}` }))
  return [new ServiceManagerTask(status, { ...found, tell }, systemClock)]
}
