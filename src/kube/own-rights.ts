import { isObject } from '../config/json.ts'
import type { Operation } from './client/errors.ts'
import type { KubeClient } from './client/kube-client.ts'

/** Something that an authorizer of an API server allows, or does not. */
export interface Right {
  readonly verb: 'get' | 'list' | 'watch' | 'patch'
  readonly resource: 'nodes' | 'nodes/status'
}

/** All that an agent does with Nodes, as the ClusterRole of the manifest has it. */
const NEEDED: readonly Right[] = [
  { verb: 'get', resource: 'nodes' },
  { verb: 'list', resource: 'nodes' },
  { verb: 'watch', resource: 'nodes' },
  { verb: 'patch', resource: 'nodes/status' },
]

const REVIEW: Operation = { op: 'review of our rights', verb: 'create', resource: 'selfsubjectaccessreviews' }
const REVIEWS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'

/**
 * Asks for each right that is needed (Kubernetes API, authorization/v1 SelfSubjectAccessReview, which every user who is known may do).
 * @throws {StoreError} where that cannot be asked
 */
export async function missingRights(client: KubeClient, signal: AbortSignal): Promise<readonly Right[]> {
  const reviewed = await Promise.all(
    NEEDED.map(async (right) => ({ right, is: await isAllowed(client, right, signal) })),
  )
  return reviewed.flatMap(({ right, is }) => (is === false ? [right] : []))
}

/** @returns undefined: the answer does not say */
async function isAllowed(
  client: KubeClient,
  { verb, resource }: Right,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const [name, subresource] = resource.split('/')
  const resourceAttributes = { verb, group: '', resource: name, ...(subresource !== undefined && { subresource }) }
  const sent = { kind: 'SelfSubjectAccessReview', apiVersion: 'authorization.k8s.io/v1', spec: { resourceAttributes } }
  const answer = await client.ask(REVIEW, { method: 'POST', path: REVIEWS, sent }, signal)
  const status = isObject(answer) ? answer['status'] : undefined
  const allowed = isObject(status) ? status['allowed'] : undefined
  return typeof allowed === 'boolean' ? allowed : undefined
}
