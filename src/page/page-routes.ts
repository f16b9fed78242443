import type { Answer, Route } from '../http/answer.ts'

/** The page, wherever it is asked for; loaded then. */
export const PAGE_ROUTE: Route = {
  respond: async (): Promise<Answer> => {
    const { loadPage } = await import('./load-page.ts')
    const { body, headers } = await loadPage()
    return { status: 200, type: 'text/html; charset=utf-8', headers, body }
  },
}
