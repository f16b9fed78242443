import type { LiveAgent } from '../../agent/status/live-agent.ts'
import type { Route, Routes } from '../../http/answer.ts'
import { PAGE_ROUTE } from '../../page/page-routes.ts'

/** Where something is answered: at the Unix socket, over the network where `--healthz-status` asks for it, or on either. */
interface StatusRoute extends Route {
  readonly isOnSocketOnly?: boolean
}

/**
 * What is answered of an agent that runs, by path. What makes an answer is loaded when somebody asks for it: an agent that nobody asks
 * pays for none.
 */
const routesOf = (live: LiveAgent): ReadonlyMap<string, StatusRoute> => {
  const documents = () => import('../../agent/status/answers.ts')
  return new Map<string, StatusRoute>([
    [METRICS, metricsRoute(live)],
    ['/v1/status', { respond: async () => (await documents()).answerStatus(live) }],
    ['/v1/peers', { respond: async (question) => (await documents()).answerPeers(live, question) }],
    ['/v1/pending', { respond: async () => (await documents()).answerPending(live) }],
    ['/v1/rejected', { respond: async () => (await documents()).answerRejected(live) }],
    ['/v1/events', { respond: async (question) => (await documents()).answerEvents(live, question) }],
    [
      '/v1/probe',
      {
        method: 'POST',
        isOnSocketOnly: true,
        respond: async (question) => (await documents()).answerProbe(live, question),
      },
    ],
  ])
}

const METRICS = '/metrics'

/** Prometheus asks by whatever name it knows a host by. */
const metricsRoute = (live: LiveAgent): StatusRoute => ({
  isForAnyName: true,
  respond: async (question) => {
    const { answerMetricsOf } = await import('../../agent/status/metrics-answer.ts')
    return answerMetricsOf(live, question)
  },
})

/** For whoever reaches the health port, where nothing is asked for but probes. */
export const metricsRoutes = (live: LiveAgent): Routes => new Map([[METRICS, metricsRoute(live)]])

/** For whoever may open the Unix socket, which root alone may. */
export const socketRoutes = (live: LiveAgent): Routes => routesOf(live)

/** For whoever reaches the health port: nothing that changes anything, and no flags; with the page or without. */
export function networkRoutes(live: LiveAgent, { hasPage = false } = {}): Routes {
  const all = routesOf({ ...live, flags: {} })
  const open = [...all].filter(([, { isOnSocketOnly }]) => isOnSocketOnly !== true)
  const status = all.get('/v1/status')
  const page = hasPage ? [['/', PAGE_ROUTE] as const] : []
  return new Map([...page, ...open, ...(status === undefined ? [] : [['/status', status] as const])])
}
