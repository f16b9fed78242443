import type { LiveAgent } from '../../agent/status/live-agent.ts'
import type { DaemonOptions } from '../../config/options.ts'
import { listenerOf } from '../../native/unix-listener.ts'
import type { ConditionReports } from '../../agent/runtime/conditions.ts'
import { isStopped, type Task, type TaskContext } from '../../agent/runtime/task.ts'
import { UnixEndpoint, type ListenerOf } from '../../host/unix-endpoint.ts'
import { HttpServer } from '../../http/server.ts'
import { socketRoutes } from './routes.ts'

export const STATUS_SOCKET = 'status socket'

/** Somebody may remove the socket, in milliseconds. */
const LOOK_EVERY_MS = 60_000
/** While it cannot be made, in milliseconds. */
const RETRY_MS = 5_000

export interface StatusSocketInput {
  readonly path: string
  readonly live: LiveAgent
  readonly conditions: ConditionReports
  readonly listenerOf: ListenerOf
}

/** Nothing where none is wanted. */
export const statusSocketOf = (
  { statusSocket: path }: Pick<DaemonOptions, 'statusSocket'>,
  live: LiveAgent,
  conditions: ConditionReports,
): readonly Task[] => (path === undefined ? [] : [new StatusSocket({ path, live, conditions, listenerOf })])

/** Answers at a Unix socket for as long as the agent runs; that goes on without it where it cannot be had. */
export class StatusSocket implements Task {
  readonly name = STATUS_SOCKET
  readonly #input: StatusSocketInput

  constructor(input: StatusSocketInput) {
    this.#input = input
  }

  async run({ signal, rest }: TaskContext): Promise<void> {
    const { path, live, listenerOf } = this.#input
    const http = new HttpServer({ routes: socketRoutes(live) })
    const endpoint = new UnixEndpoint({ path, server: http.server, listenerOf })
    try {
      while (!isStopped(signal)) {
        const problem = await endpoint.look()
        if (isStopped(signal)) break
        this.#report(problem)
        await rest(problem === undefined ? LOOK_EVERY_MS : RETRY_MS)
      }
    } finally {
      endpoint.close()
      http.close()
    }
  }

  #report(problem: string | undefined): void {
    const { conditions } = this.#input
    if (problem === undefined) conditions.holds(STATUS_SOCKET)
    else
      conditions.fails(STATUS_SOCKET, problem, 'none', {
        says: `status socket: ${problem}; trying again, the agent goes on`,
        repeats: false,
        isOfSession: false,
      })
  }
}
