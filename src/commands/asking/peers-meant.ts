import { ask } from '../../status/client/ask.ts'
import { AgentAnswerError } from '../../status/client/errors.ts'
import { isThisNode, itself } from './this-node.ts'
import type { PeersDocument, RejectedDocument, StatusDocument } from '../../status/document.ts'
import type { Asking } from './asking.ts'

/**
 * All peers, or those that a name, address or subnet stands for, as the agent knows them; with `POST /v1/probe`, asked anew for this.
 * @throws {AgentAwayError}, {AgentAnswerError} also where nobody is meant
 */
export async function peersMeant(
  of: string | undefined,
  asked: Asking,
  path: '/v1/peers' | '/v1/probe' = '/v1/peers',
): Promise<PeersDocument> {
  const query = of === undefined ? '' : `?of=${encodeURIComponent(of)}`
  const method = path === '/v1/probe' ? 'POST' : 'GET'
  try {
    const document = await ask<PeersDocument>(`${path}${query}`, { ...asked, method })
    if (of === undefined || document.peers.length > 0) return document
  } catch (error) {
    if (of === undefined || !(error instanceof AgentAnswerError && error.status === 404)) throw error
  }
  throw await whyNobody(of, asked)
}

/** What is known of what no peer is called: it may be this host, or a lease that is not used. */
async function whyNobody(of: string, asked: Asking): Promise<AgentAnswerError> {
  const [status, { rows }] = await Promise.all([
    ask<StatusDocument>('/v1/status', asked),
    ask<RejectedDocument>('/v1/rejected', asked),
  ])
  if (isThisNode(status, of)) return new AgentAnswerError(itself(of), 404)
  const rejected = rows.find(({ name, publicIp, subnet, key }) => [name, publicIp, subnet, key].includes(of))
  if (rejected !== undefined)
    return new AgentAnswerError(`the lease ${rejected.key} of ${of} is not used: ${rejected.reason}`, 404)
  return new AgentAnswerError(`no peer has the name, address or subnet ${of}: flanneld peers lists all`, 404)
}
